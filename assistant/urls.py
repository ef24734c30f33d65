"""Pages around a question: ask, answer, feedback, tickets. Localised: included under the language prefix."""

from django.urls import path

from assistant import views

urlpatterns = [
    path("ask/", views.ask, name="ask"),
    path("answers/<uuid:public_id>/", views.answer, name="answer"),
    path("answers/<uuid:public_id>/feedback/", views.feedback, name="feedback"),
    path("answers/<uuid:public_id>/contact/", views.contact, name="contact"),
    path("contact/", views.new_ticket, name="new_ticket"),
    path("tickets/<slug:token>/", views.ticket, name="ticket"),
    path("tickets/<slug:token>/reply/", views.ticket_reply, name="ticket_reply"),
]
