"""As Django has it, and the time of day as German writes it after a date."""

DATETIME_FORMAT = "j. F Y, H:i \\U\\h\\r"
