"""Builds the German half of the offline model from a file of English–German sentence pairs.

Needed only to make a new model; the product loads the finished one through `knowledge.embeddings`. The steps,
in their order: pairs, wordpieces, alignment, transfer, distillation, artefact.
"""
