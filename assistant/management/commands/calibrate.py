"""Finds the threshold from which on few answers are wrong, and says what is promised."""

import json
from pathlib import Path
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from assistant.calibration import store
from assistant.calibration.promise import labels_needed
from assistant.calibration.running import CONFIDENCE, MAX_RISK, SITE, Figures, Result, keep, work_out
from assistant.evaluation import Articles
from assistant.labels import site_labels
from assistant.writers import WriterUnavailable
from knowledge.labelled import BadQuestionFile, LabelledQuestion, read_questions
from knowledge.models import Language

NOTHING_PROMISED = 2  # exit status


class Command(BaseCommand):
    help = (
        "Finds the lowest threshold of which labelled questions allow to promise that at most --max-risk of the "
        "answers are wrong, with probability --confidence (Learn-then-Test), reports before and after, and puts it "
        "in force for all processes. Changes nothing and exits with 2 where nothing can be promised: with no "
        "error at all it takes 59 answered labels for 5 % at 95 %. "
        "docs/calibration.md says what the promise rests on."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("questions", nargs="?", type=Path, help="JSONL file of labelled questions.")
        parser.add_argument(
            "--from-site", action="store_true", help="Take what staff have judged on this site instead."
        )
        parser.add_argument(
            "--max-risk", type=_share, default=MAX_RISK, help=f"Share wrong among the answered ({MAX_RISK})."
        )
        parser.add_argument(
            "--confidence", type=_share, default=CONFIDENCE, help=f"How sure of that ({CONFIDENCE})."
        )
        parser.add_argument(
            "--hide-gold",
            type=_share_or_none,
            default=0.0,
            metavar="SHARE",
            help="Hide the gold articles of this share of the questions, drawn by lot: near misses, as customers "
            "ask them whose article is missing. Set it to what the site really meets (0).",
        )
        parser.add_argument("--language", choices=Language.values, help="Only questions in this language.")
        parser.add_argument(
            "--articles",
            choices=get_args(Articles),
            default="all",
            help="Which may answer, as for `evaluate`. Customers get all (all): the others are for measuring, and "
            "come with --dry-run only.",
        )
        parser.add_argument(
            "--keep-scale",
            action="store_true",
            help="Do not make the score the probability of this site where the labels would allow it.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Report only; store and change nothing.")
        parser.add_argument(
            "--propose",
            action="store_true",
            help="Store it, to be confirmed in the admin; change no threshold.",
        )
        parser.add_argument(
            "--revert",
            action="store_true",
            help="Back to the threshold that comes with the confidence model.",
        )
        parser.add_argument("--json", action="store_true", help="Print the report as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["revert"]:
            self._revert()
            return
        if options["articles"] != "all" and not options["dry_run"]:
            raise CommandError(
                "--articles is for measuring: a threshold is for what customers get. Add --dry-run."
            )
        questions, source, left_out = self._questions(options)
        try:
            result = work_out(
                questions,
                max_risk=options["max_risk"],
                confidence=options["confidence"],
                hidden_share=options["hide_gold"],
                articles=options["articles"],
                rescales=not options["keep_scale"],
                progress=lambda items: tqdm(items, desc="questions", unit="q", disable=None),
            )
        except WriterUnavailable as error:
            raise CommandError(f"The answer writer cannot be reached: {error}") from error
        asked_for_gold = any(question.gold for question in questions)
        if asked_for_gold and result.unmatched_gold == len({key for one in questions for key in one.gold}):
            raise CommandError(
                "None of the gold articles is in the database: import the articles that belong to these "
                "questions first (they are matched by external id)."
            )
        is_changed, row = False, None
        if not options["dry_run"]:
            row = keep(result, source=source)
            if result.promise is not None and not options["propose"]:
                store.put_in_force(row)
                is_changed = True
        report = _report(result, source, left_out) | {
            "in_force": is_changed,
            "calibration": row.pk if row is not None else None,
        }
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2))
        else:
            self._print(result, report, options)
        if result.promise is None:
            raise CommandError(_refusal(result), returncode=NOTHING_PROMISED)

    def _questions(self, options: dict[str, Any]) -> tuple[list[LabelledQuestion], str, int]:
        if bool(options["questions"]) == options["from_site"]:
            raise CommandError("Name one source of labels: a file of labelled questions, or --from-site.")
        if options["from_site"]:
            labels = site_labels()
            found = [one for one in labels.questions if options["language"] in (None, one.language)]
            if not found:
                raise CommandError(
                    "Nothing on this site has been judged yet. Judge answers in the admin (Questions), or "
                    "name a file of labelled questions."
                )
            return found, SITE, labels.left_out
        try:
            found, left_out = read_questions(options["questions"], language=options["language"])
        except BadQuestionFile as error:
            raise CommandError(str(error)) from error
        if not found:
            raise CommandError(f"{options['questions']}: no question is left to run.")
        return found, "/".join(options["questions"].resolve().parts[-2:])[-200:], left_out

    def _revert(self) -> None:
        was = store.standing()
        if not store.retire():
            self.stdout.write("Nothing to revert: the confidence model's own threshold is in force.")
            return
        self.stdout.write(
            f"threshold {was.threshold:.3f} -> {was.model.threshold:.3f} ({was.model.name}); nothing is "
            "promised about it on this site."
        )

    def _print(self, result: Result, report: dict[str, Any], options: dict[str, Any]) -> None:
        self.stdout.write(
            f"{report['labelled']} labelled questions ({report['source']}), {report['hidden']} of them with their "
            f"gold hidden; recipe {result.binding.recipe[:12]}, writer {result.binding.writer}, model "
            f"{result.binding.model[:12]}, {report['date']}"
        )
        for key in ("left_out", "unmatched_gold"):
            if report[key]:
                self.stdout.write(f"{key}: {report[key]}")
        for name, figures in (("before", result.before), ("after", result.after)):
            if figures is not None:
                self.stdout.write(f"{name:>6}: {_line(figures)}")
        promise = result.promise
        if promise is None:
            return
        low, high = promise.coverage_range
        self.stdout.write(
            self.style.SUCCESS(
                f"promise: with {promise.confidence:.0%} certainty at most {promise.max_risk:.1%} of the answers "
                f"are wrong, from {promise.answered} answered labels, {promise.wrong} of them wrong; expected "
                f"coverage {promise.coverage:.1%} ({low:.1%} to {high:.1%})"
            )
        )
        if result.rescale is not None:
            self.stdout.write(
                f"scale: the score is made this site's probability, slope {result.rescale.slope:.3f}, intercept "
                f"{result.rescale.intercept:+.3f}; on the model's own scale the threshold is "
                f"{promise.threshold:.2f}"
            )
        self.stdout.write(
            "It holds for questions like the labelled ones, asked in the same proportions, of this recipe, writer "
            "and model."
        )
        if report["in_force"]:
            self.stdout.write("In force from now on, in every process. Way back: calibrate --revert")
        elif report["calibration"] is not None:
            self.stdout.write("Waits in the admin to be confirmed; nothing has changed.")
        else:
            self.stdout.write("Dry run: nothing was stored or changed.")


def _report(result: Result, source: str, left_out: int) -> dict[str, Any]:
    promise = result.promise
    return {
        "promised": promise is not None,
        "threshold": result.after.threshold if result.after is not None else None,
        "raw_threshold": promise.threshold if promise is not None else None,
        "max_risk": result.max_risk,
        "confidence": result.confidence,
        "labelled": result.labelled,
        "answered": promise.answered if promise is not None else None,
        "wrong": promise.wrong if promise is not None else None,
        "coverage": promise.coverage if promise is not None else None,
        "rescale": {"slope": result.rescale.slope, "intercept": result.rescale.intercept}
        if result.rescale is not None
        else None,
        "refusal": _refusal(result) if promise is None else None,
        "recipe": result.binding.recipe,
        "writer": result.binding.writer,
        "model": result.binding.model,
        "source": source,
        "left_out": left_out,
        "date": f"{timezone.localtime():%Y-%m-%d}",
        **result.report(),
    }


def _line(figures: Figures) -> str:
    risk = "–"
    if figures.risk is not None and figures.risk_range is not None:
        risk = f"{figures.risk:.1%} ({figures.risk_range[0]:.1%} to {figures.risk_range[1]:.1%})"
    ece = "–" if figures.ece is None else f"{figures.ece:.3f}"
    return (
        f"threshold {figures.threshold:.3f}, coverage {figures.coverage:.1%} ({figures.answered}), wrong {risk}, "
        f"ECE {ece}"
    )


def _refusal(result: Result) -> str:
    refusal = result.refusal
    assert refusal is not None
    goal = f"at most {result.max_risk:.1%} wrong with {result.confidence:.0%} certainty"
    if refusal.is_too_few:
        return (
            f"Too few labels to promise {goal}: {refusal.answered} of {refusal.labelled} labelled questions can be "
            f"answered at all, and it takes {refusal.needed} even if not one of the answers is wrong."
        )
    closest = refusal.closest
    seen = (
        f" Of the surest {closest.answered} answers {closest.wrong} are wrong; promising that would take "
        f"{labels_needed(result.max_risk, result.confidence, wrong=closest.wrong)} with as many errors."
        if closest is not None
        else ""
    )
    return f"No threshold allows to promise {goal}.{seen} More labels, better articles or a higher --max-risk help."


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise ValueError(f"found {text}, allowed is a number above 0 and below 1")
    return value


def _share_or_none(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError(f"found {text}, allowed is a number from 0 to below 1")
    return value
