"""How good the answers are, for the quality page and for `evaluate --report`.

`records` brings judged questions and evaluated ones into one shape, `figures` counts, `charts` turns figures into
lines and bars. None of it draws conclusions for people: that is the templates' and the reader's business.
"""
