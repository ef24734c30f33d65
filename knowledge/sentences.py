"""Where sentences begin and end, in English and German.

Promise: offsets into the given text, in order, never overlapping, and together covering everything that is
not white space. When in doubt two sentences stay together: a long quote is a smaller mistake than half a
sentence.

Refuses to decide: what a sentence means, and whether it is worth quoting.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Without the final dot, lower case. "etc.", "usw." and the like are absent on purpose: in front of a
# capital letter they nearly always end the sentence.
_ABBREVIATIONS = _words(
    """
    e.g i.e vs mr mrs ms dr prof st jr sr fig figs eq approx dept est resp incl excl ver vol pp cf viz
    ext jan feb mar apr jun jul aug sep sept oct okt nov dez dec bzw ca abs art str tel ggf evtl inkl
    exkl zzgl abzgl max min mind vgl bspw sog gem lt hr fr std mio mrd tsd allg bez entspr einschl ehem
    geb gegr insb jährl mtl tgl urspr usf versch vorm zzt zus anm aufl bd hrsg kap dipl ing med phil jur
    rer nat nachm u.a z.b d.h u.ä o.ä o.g s.o s.u v.a z.t i.d.r i.e.s u.u m.e n.chr v.chr u.s
    """
)
# Only in front of a number: "No. 5" and "Seite S. 5", but "The answer is no. Then ...".
_ABBREVIATIONS_BEFORE_NUMBER = _words("no nos nr nrn art p sec ziff ver")
_MONTHS = _words(
    """
    januar jänner februar märz april mai juni juli august september oktober november dezember january
    february march may june july october december jan feb apr jun jul aug sep sept okt nov dez
    """
)
# In front of "3." they make it an ordinal: "am 3. Tag", "der 2. Schritt".
_BEFORE_ORDINAL = _words(
    """
    am ab bis der die das dem den des vom zum zur im in jede jeden jeder jedes jedem seit ein eine einem
    einen einer ihr ihre ihrem ihren mein dein sein unser kein keine nach vor und oder ersten
    """
)

# Repetitions are bounded so that a line of ten thousand dots stays cheap.
_END = re.compile(
    r"(?P<mark>[.!?…]{1,6})[\"'»”“’)\]*_`]{0,6}(?P<gap>\s+)(?=(?P<next>[\"'«„“‘(\[*_`¿¡]{0,6}\S))"
    r"|[。！？]+[」』”]*"
    r"|(?P<block>(?:\r?\n[^\S\n]*){2,})"
    r"|\r?\n(?=[^\S\n]*(?:[-+*]\s|\d{1,9}[.)]\s|\||>))"
)
_LAST_WORD = re.compile(r"[\w.\-/]+$")
_NEXT_WORD = re.compile(r"\w+")
_LINE_START_NUMBER = re.compile(r"(?:^|\n)[\s>]*(?:[-+*]\s+)?\d{1,9}$")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of every sentence of `text`; blank lines, list items and table rows also end one."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in _END.finditer(text):
        if end["mark"] and not _ends_sentence(text, end):
            continue
        cut = end.start("gap") if end["mark"] else end.end() if not end[0].isspace() else end.start()
        _append(spans, text, start, cut)
        start = end.end()
    _append(spans, text, start, len(text))
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))


def _ends_sentence(text: str, end: re.Match[str]) -> bool:
    following = end["next"][-1]
    if following.islower():
        return False
    if end["mark"] != ".":
        return True
    # A bounded look back keeps a text without spaces from costing quadratic time.
    before = text[max(0, end.start() - 40) : end.start()]
    found = _LAST_WORD.search(before)
    if found is None:
        return True
    word = found[0].lower().strip(".-/")
    if len(word) == 1 and word.isalpha():
        return False  # "z. B.", "d. h.", initials
    if word in _ABBREVIATIONS or word.rpartition("-")[2] in _ABBREVIATIONS:
        return False
    if following.isdigit() and word in _ABBREVIATIONS_BEFORE_NUMBER:
        return False
    if word.isdigit() and len(word) <= 2:
        return not _is_ordinal(text, end, before, found.start())
    return True


def _is_ordinal(text: str, end: re.Match[str], before: str, word_start: int) -> bool:
    if _LINE_START_NUMBER.search(before):
        return True  # the number of a list item
    following = _NEXT_WORD.match(text, end.end("gap"))
    if following and following[0].lower() in _MONTHS:
        return True
    preceding = before[:word_start].split()
    return bool(preceding) and preceding[-1].lower() in _BEFORE_ORDINAL
