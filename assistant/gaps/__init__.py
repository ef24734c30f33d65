"""Gaps: groups of questions that were not answered, or answered badly, and what an editor may write about them.

    troubled.py    which questions, and what went wrong with each
    grouping.py    which of them mean the same; pure
    refreshing.py  works it out in the background and stores it: rows of assistant.wanted
    evidence.py    what a page shows of a gap: questions, what came after an answer, the nearest article and its lack
    drafting.py    a draft from what staff replied

Nothing here changes what customers get.
"""
