"""Public pages of the articles. Localised: included under the language prefix."""

from django.urls import path

from knowledge import views

urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("categories/<slug:slug>/", views.category, name="category"),
    path("articles/<slug:slug>/", views.article, name="article"),
    path("articles/<slug:slug>/vote/", views.vote_on_article, name="article_vote"),
]
