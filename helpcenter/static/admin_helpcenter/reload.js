/* A page about something that is still running looks again by itself; its link does the same without a script. */
setTimeout(function () {
  location.reload();
}, 3000);
