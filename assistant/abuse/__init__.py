"""What keeps one visitor from using up what is there for all.

`clients` says who counts as one, `budgets` counts for all processes together, `local` guards this process, `forms`
tells a person's form from a program's, `middleware` asks them in that order and `refusals` says no with a way on.

Promise: whoever is refused is told how long to wait, keeps what was typed, and is shown a way to a person.
No address is stored.
"""
