"""Events of tickets for other programs: signed webhooks, and the ticket in another help desk."""
