"""The templates that a help center begins with, in German and English. Editors change them in the admin."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Starter:
    language: str
    name: str
    hint: str
    title: str
    body: str


def starters() -> tuple[Starter, ...]:
    """In the order in which they are offered."""
    return _ENGLISH + _GERMAN


_ENGLISH = (
    Starter(
        "en",
        "How-to",
        "One task, step by step.",
        "How to ",
        """In one sentence: what readers can do once they have followed these steps.

## Before you begin

- What they need at hand: an account, a device, a number

## Steps

1. Open …
2. Choose …
3. Confirm with …

You are done when …

## If it does not work

- What goes wrong most often, and what to do then
""",
    ),
    Starter(
        "en",
        "Troubleshooting",
        "Something does not work: symptom, cause, way out.",
        "",
        """In one sentence: what readers see when they have this problem. Give error messages word for word.

## Try this first

1. The quickest way out, which helps most people

## Why it happens

### First cause

How to tell that it is this one, and what to do.

### Second cause

How to tell that it is this one, and what to do.

## Still not solved?

Tell us what you have tried, and send us …
""",
    ),
    Starter(
        "en",
        "Questions and answers",
        "Several short questions about one subject.",
        "Questions about ",
        """## The first question, as customers ask it?

The answer in one or two sentences, first of all the answer itself.

## The second question?

The answer.

## The third question?

The answer.
""",
    ),
    Starter(
        "en",
        "Reference",
        "Figures, limits and terms to look up.",
        "",
        """In one sentence: what is listed here, and for whom it holds.

| Name | Value | Note |
|---|---|---|
| … | … | … |

## What the words mean

- **First term**: what it means, in one sentence.

## As of

These figures hold since …
""",
    ),
    Starter(
        "en",
        "Release note",
        "What is new, for whom, and what they have to do.",
        "What is new in ",
        """In one sentence: the change that matters most to readers.

## New

- What readers can do now, and where they find it

## Changed

- What works differently, and why

## Fixed

- What went wrong and no longer does

## What you have to do

Nothing, or: by when, and how.
""",
    ),
)

_GERMAN = (
    Starter(
        "de",
        "Anleitung",
        "Eine Aufgabe, Schritt für Schritt.",
        "",
        """In einem Satz: was man nach diesen Schritten erledigt hat.

## Das brauchen Sie

- Was bereitliegen muss: ein Konto, ein Gerät, eine Nummer

## So geht es

1. Öffnen Sie …
2. Wählen Sie …
3. Bestätigen Sie mit …

Fertig sind Sie, wenn …

## Wenn es nicht klappt

- Was am häufigsten schiefgeht, und was dann hilft
""",
    ),
    Starter(
        "de",
        "Problemlösung",
        "Etwas funktioniert nicht: Anzeichen, Ursache, Ausweg.",
        "",
        """In einem Satz: woran man das Problem erkennt. Fehlermeldungen wörtlich nennen.

## Das hilft meistens

1. Der schnellste Ausweg, mit dem die meisten weiterkommen

## Woran es liegt

### Erste Ursache

Woran man sie erkennt und was dann zu tun ist.

### Zweite Ursache

Woran man sie erkennt und was dann zu tun ist.

## Immer noch nicht gelöst?

Schreiben Sie uns, was Sie versucht haben, und schicken Sie uns …
""",
    ),
    Starter(
        "de",
        "Fragen und Antworten",
        "Mehrere kurze Fragen zu einem Thema.",
        "Fragen zu ",
        """## Die erste Frage, so wie Kunden sie stellen?

Die Antwort in ein, zwei Sätzen; das Wichtigste zuerst.

## Die zweite Frage?

Die Antwort.

## Die dritte Frage?

Die Antwort.
""",
    ),
    Starter(
        "de",
        "Nachschlagen",
        "Zahlen, Grenzen und Begriffe zum Nachsehen.",
        "",
        """In einem Satz: was hier aufgeführt ist und für wen es gilt.

| Name | Wert | Anmerkung |
|---|---|---|
| … | … | … |

## Was die Wörter bedeuten

- **Erster Begriff**: was er bedeutet, in einem Satz.

## Stand

Diese Angaben gelten seit …
""",
    ),
    Starter(
        "de",
        "Neuigkeiten",
        "Was neu ist, für wen, und was zu tun ist.",
        "Neu in ",
        """In einem Satz: die Änderung, die für die meisten am wichtigsten ist.

## Neu

- Was jetzt möglich ist und wo man es findet

## Geändert

- Was anders funktioniert und warum

## Behoben

- Was nicht funktioniert hat und jetzt funktioniert

## Was Sie tun müssen

Nichts, oder: bis wann und wie.
""",
    ),
)
