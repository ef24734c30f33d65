"""Addresses that other sites name: they have no language and stay as they are. v1 names the script's attributes."""

from django.urls import path

from assistant.widget import views

urlpatterns = [
    path("widget.js", views.script, name="widget_script"),
    path("widget/v1.js", views.script, name="widget_script_v1"),
    path("widget/look/<slug:accent>.css", views.look, name="widget_look"),
    path("widget/demo/", views.demo, name="widget_demo"),
]
