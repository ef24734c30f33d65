"""Pages around a question: ask, answer, feedback, tickets. Localised: included under the language prefix."""

from django.urls import path

from assistant import ticket_views, views
from assistant.our_ai_view import how_our_ai_works
from assistant.widget.views import widget

urlpatterns = [
    path("widget/", widget, name="widget"),
    path("ask/", views.ask, name="ask"),
    path("conversations/<uuid:public_id>/", views.conversation, name="conversation"),
    path("answers/<uuid:public_id>/", views.answer, name="answer"),
    path("answers/<uuid:public_id>/events/", views.events, name="answer_events"),
    path("answers/<uuid:public_id>/state/", views.state, name="answer_state"),
    path("answers/<uuid:public_id>/finish/", views.finish, name="finish"),
    path("answers/<uuid:public_id>/feedback/", views.feedback, name="feedback"),
    path("answers/<uuid:public_id>/contact/", ticket_views.contact, name="contact"),
    path("how-our-ai-works/", how_our_ai_works, name="our_ai"),
    path("contact/", ticket_views.new_ticket, name="new_ticket"),
    path("tickets/<slug:token>/", ticket_views.ticket, name="ticket"),
    path("tickets/<slug:token>/reply/", ticket_views.ticket_reply, name="ticket_reply"),
    path("tickets/<slug:token>/files/<int:pk>/", ticket_views.ticket_file, name="ticket_file"),
    path("tickets/<slug:token>/close/", ticket_views.ticket_close, name="ticket_close"),
    path("tickets/<slug:token>/rate/", ticket_views.ticket_rate, name="ticket_rate"),
    path("tickets/<slug:token>/reopen/", ticket_views.ticket_reopen, name="ticket_reopen"),
]
