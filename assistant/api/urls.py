"""Addresses below /api/v1/. The last one catches the rest: a wrong address gets the error shape, too."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from assistant.api import threads, views
from assistant.api.requests import UnknownAddressView

urlpatterns = [
    path("questions/", views.QuestionsView.as_view(), name="api-questions"),
    path("questions/<uuid:public_id>/", views.QuestionView.as_view(), name="api-question"),
    path("questions/<uuid:public_id>/feedback/", views.FeedbackView.as_view(), name="api-feedback"),
    path("articles/", views.ArticlesView.as_view(), name="api-articles"),
    path("articles/<int:article_id>/", views.ArticleView.as_view(), name="api-article"),
    path("tickets/", views.TicketsView.as_view(), name="api-tickets"),
    path("tickets/<str:token>/", views.TicketView.as_view(), name="api-ticket"),
    path("tickets/<str:token>/messages/", threads.TicketMessagesView.as_view(), name="api-ticket-messages"),
    path("tickets/<str:token>/close/", threads.TicketCloseView.as_view(), name="api-ticket-close"),
    path("tickets/<str:token>/reopen/", threads.TicketReopenView.as_view(), name="api-ticket-reopen"),
    path("conversations/<uuid:public_id>/", threads.ConversationView.as_view(), name="api-conversation"),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"", UnknownAddressView.as_view()),
]
