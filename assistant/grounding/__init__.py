"""Whether a sentence is supported by the quote that it cites: checked before anybody sees it."""

from assistant.grounding.check import Claim, Evidence, Finding, Problem, Thresholds, Verdict, check

__all__ = ["Claim", "Evidence", "Finding", "Problem", "Thresholds", "Verdict", "check"]
