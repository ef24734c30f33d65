"""Where the threshold comes from: labelled questions, and a promise about the share of wrong answers.

`promise` finds a threshold and what it guarantees, `rescaling` makes the score of a model the probability of this
site, `trials` asks labelled questions, `store` keeps what was found and says what is in force, `running` does all
of it for the command and the admin. docs/calibration.md says what is promised, on what assumptions.
"""
