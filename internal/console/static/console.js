// Shows times in the reader's zone, and what changes in a page while it is open. Every page works
// without this script.
"use strict";

(() => {
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  function localize(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.title = time.dateTime;
        time.textContent = clock.format(at);
      }
    }
  }

  // A part of the page that the reader works in stays as it is until he leaves it.
  const waiting = new Map();

  function show(id, html) {
    const element = document.getElementById(id);
    if (!element) {
      return;
    }
    if (element.contains(document.activeElement)) {
      waiting.set(id, html);
      return;
    }
    waiting.delete(id);
    element.innerHTML = html;
    localize(element);
  }

  document.addEventListener("focusout", () => {
    setTimeout(() => waiting.forEach((html, id) => show(id, html)), 0);
  });

  function follow(path) {
    const freshness = document.getElementById("freshness");
    const source = new EventSource("/live?page=" + encodeURIComponent(path));
    source.onopen = () => { freshness.textContent = "live"; freshness.dataset.state = "live"; };
    source.onerror = () => { freshness.textContent = "connection lost, trying again"; freshness.dataset.state = "lost"; };
    source.onmessage = (event) => {
      const change = JSON.parse(event.data);
      show(change.id, change.html);
    };
    addEventListener("pagehide", () => source.close());
  }

  localize(document);
  const path = document.body.dataset.live;
  if (path) {
    follow(path);
  }
})();
