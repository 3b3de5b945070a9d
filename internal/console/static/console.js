// Shows times in the reader's zone, and updates a page while it is open. Every page works without this
// script.
"use strict";

(() => {
  const formats = {
    full: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }),
    hint: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
    time: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    date: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" }),
  };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";

  function format(text, show) {
    const at = new Date(text);
    return Number.isNaN(at.getTime()) ? null : formats[show].format(at);
  }

  function localize(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const text = format(time.dateTime, "full");
      if (text) {
        time.title = time.dateTime;
        time.textContent = text;
      }
    }
    for (const label of root.querySelectorAll("text[data-time]")) {
      label.textContent = format(label.dataset.time, label.dataset.show) ?? label.textContent;
    }
    for (const point of root.querySelectorAll("rect[data-time] > title")) {
      const text = format(point.parentNode.dataset.time, "hint");
      if (text) {
        point.textContent = text + point.textContent.replace(/^[^\n]*/, "");
      }
    }
    for (const name of root.querySelectorAll("[data-zone]")) {
      name.textContent = zone;
    }
  }

  // A part of the page that the reader works in stays as it is until the reader leaves it.
  const waiting = new Map();

  function isInUse(element) {
    const selection = getSelection();
    return element.contains(document.activeElement) ||
      (selection && !selection.isCollapsed && selection.containsNode(element, true));
  }

  // What the reader has opened or scrolled stays so after an update.
  function keyOf(element, i) {
    return element.id || element.dataset.key || element.tagName + i;
  }

  function replace(element, html) {
    const open = new Set();
    element.querySelectorAll("details").forEach((d, i) => d.open && open.add(keyOf(d, i)));
    const scrolled = new Map();
    element.querySelectorAll(".table-scroll, .chart-scroll, .raw").forEach((e, i) => scrolled.set(keyOf(e, i), [e.scrollLeft, e.scrollTop]));
    element.innerHTML = html;
    element.querySelectorAll("details").forEach((d, i) => { d.open ||= open.has(keyOf(d, i)); });
    element.querySelectorAll(".table-scroll, .chart-scroll, .raw").forEach((e, i) => {
      const [left, top] = scrolled.get(keyOf(e, i)) ?? [0, 0];
      e.scrollLeft = left;
      e.scrollTop = top;
    });
    localize(element);
  }

  function show(id, html) {
    const element = document.getElementById(id);
    if (!element) {
      return;
    }
    if (isInUse(element)) {
      waiting.set(id, html);
      return;
    }
    waiting.delete(id);
    replace(element, html);
  }

  function showWaiting() {
    setTimeout(() => waiting.forEach((html, id) => show(id, html)), 0);
  }

  document.addEventListener("focusout", showWaiting);
  document.addEventListener("selectionchange", showWaiting);

  function follow(path) {
    const freshness = document.getElementById("freshness");
    const pause = document.createElement("button");
    let source = null;
    let last = new Date();
    let isPaused = false;

    function tell(state, text) {
      freshness.dataset.state = state;
      if (freshness.textContent !== text) {
        freshness.textContent = text;
      }
    }

    function open() {
      if (source || document.hidden || isPaused) {
        return;
      }
      source = new EventSource("/live?page=" + encodeURIComponent(path));
      source.addEventListener("fresh", () => { last = new Date(); tell("live", "live"); });
      source.addEventListener("stale", () => tell("lost", "no answer from the database; as of " + formats.full.format(last)));
      source.onmessage = (event) => {
        const change = JSON.parse(event.data);
        show(change.id, change.html);
      };
      source.onerror = () => {
        const over = source && source.readyState === EventSource.CLOSED;
        tell("lost", (over ? "not live for now: reload the page" : "connection lost, trying again") + "; as of " + formats.full.format(last));
        if (over) { // The session is over, or too many pages are open: see Retry-After of the answer.
          close();
          setTimeout(open, 30_000);
        }
      };
    }

    // A browser has few connections to one host, so a page that nobody sees closes its own.
    function close() {
      if (source) {
        source.close();
        source = null;
      }
    }

    pause.type = "button";
    pause.className = "small quiet";
    pause.textContent = "Pause updates";
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      pause.textContent = isPaused ? "Resume updates" : "Pause updates";
      if (isPaused) {
        close();
        tell("paused", "paused; as of " + formats.full.format(last));
      } else {
        open();
      }
    });
    freshness.before(pause);

    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  // On a narrow screen the menu scrolls.
  document.querySelector(".top nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  localize(document);
  const path = document.body.dataset.live;
  if (path) {
    follow(path);
  }
})();
