"""The help center inside other sites: one script tag there, the same pages here, and no cookie.

The pages are those of `assistant.views` and `assistant.ticket_views`, told by `request.widget` to leave out what
frames them. `passes` is what a browser shows in place of cookies, `middleware` lets it in, `hosts` says who may embed,
`views` serves the script, the first page and a demonstration.
"""
