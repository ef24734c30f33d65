"""From which nearness on a sentence counts as meaning what its quote says: data, measured, and of one model.

`manage.py measure_grounding` chooses them (docs/grounding.md). Under another embedding model its cosines are not known:
then the words alone decide.
"""

from dataclasses import replace
from typing import Final

from django.conf import settings

from assistant.grounding.check import Thresholds
from knowledge.embeddings import BILINGUAL_MODEL

SAME_LANGUAGE: Final = Thresholds(cosine=0.5, clause_coverage=0.65, clause_cosine=0.65, word_cosine=0.45)
OTHER_LANGUAGE: Final = Thresholds(cosine=0.25, clause_coverage=0.2, clause_cosine=0.3)


def thresholds_for(language: str, quote_language: str) -> Thresholds:
    chosen = SAME_LANGUAGE if language == quote_language else OTHER_LANGUAGE
    chosen = replace(chosen, entailment=settings.GROUNDING_ENTAILMENT)
    if settings.EMBEDDING_MODEL == BILINGUAL_MODEL:
        return chosen
    return replace(chosen, cosine=-1.0, clause_cosine=1.01, word_cosine=-1.0)
