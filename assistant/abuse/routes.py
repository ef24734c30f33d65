"""Which address spends from which budget. What is not here costs little and changes nothing for others.

A test walks through every public address and fails where one that takes a POST stands in neither list.
"""

from enum import StrEnum

from django.http import HttpRequest


class Scope(StrEnum):
    QUESTIONS = "questions"
    SEARCH = "search"
    SUGGESTIONS = "suggestions"
    FEEDBACK = "feedback"
    TICKETS = "tickets"
    SIGN_IN = "sign_in"


POSTS = {
    "ask": Scope.QUESTIONS,
    "api-questions": Scope.QUESTIONS,
    "feedback": Scope.FEEDBACK,
    "api-feedback": Scope.FEEDBACK,
    "article_vote": Scope.FEEDBACK,
    "contact": Scope.TICKETS,
    "new_ticket": Scope.TICKETS,
    "ticket_reply": Scope.TICKETS,
    "ticket_close": Scope.TICKETS,
    "ticket_reopen": Scope.TICKETS,
    "ticket_rate": Scope.FEEDBACK,
    "api-tickets": Scope.TICKETS,
    "api-ticket-messages": Scope.TICKETS,
    "api-ticket-close": Scope.TICKETS,
    "api-ticket-reopen": Scope.TICKETS,
    "login": Scope.SIGN_IN,
    "account_login": Scope.SIGN_IN,
    "admin:login": Scope.SIGN_IN,
    "account_reauthenticate": Scope.SIGN_IN,
    "account_reset_password": Scope.SIGN_IN,
    "account_reset_password_from_key": Scope.SIGN_IN,
    "mfa_authenticate": Scope.SIGN_IN,
    "mfa_reauthenticate": Scope.SIGN_IN,
    "mfa_activate_totp": Scope.SIGN_IN,
}
SEARCHES = {  # by GET; each costs a look into the index
    "search": Scope.SEARCH,
    "api-articles": Scope.SEARCH,
    "suggest": Scope.SUGGESTIONS,
}
AT_ONCE = frozenset({Scope.QUESTIONS, Scope.SEARCH})  # what may keep a thread busy

# Forms that people fill in: looked at for signs of a program (`forms`).
GUARDED_FORMS = frozenset(
    {"new_ticket", "contact", "ticket_reply", "ticket_rate", "feedback", "article_vote"}
)

# "finish" decides a question that was counted when it was asked.
# "receive-mail" takes nothing that is not signed with the site's secret.
# About a second factor, for staff who have just shown who they are.
FREE_POSTS = frozenset(
    {
        "set_language",
        "logout",
        "account_logout",
        "finish",
        "receive-mail",
        "mfa_index",
        "mfa_deactivate_totp",
        "mfa_view_recovery_codes",
        "mfa_generate_recovery_codes",
        "mfa_download_recovery_codes",
    }
)


def scope_of(request: HttpRequest) -> Scope | None:
    match = request.resolver_match
    name = match.view_name if match is not None else ""
    if request.method == "POST":
        if name == "ask" and request.POST.get("action") == "search":
            return None  # it only leads to the search, which is counted
        return POSTS.get(name)
    if request.method == "GET" and request.GET.get("q"):
        return SEARCHES.get(name)
    return None
