"""What would a change of articles do to the questions that were asked already?

`questions` says which are asked again, `vectors` keeps what the model made of them, `comparing` asks them before and
after a change and says what is different, `running` does so in the background for a row that an editor looks at.
Changes nothing that customers see.
"""
