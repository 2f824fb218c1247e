// Renews the page: fetches the same address again and puts in what has changed. The server renders, this only moves
// HTML; without it the page is complete and a meta refresh renews it.
"use strict";
(() => {
  const EVERY_MS = 5000;
  const live = document.getElementById("live");
  const liveState = document.getElementById("live-state");
  const liveTime = document.getElementById("live-time");
  const lost = document.getElementById("lost");
  const said = document.getElementById("said");
  const sources = new Map(); // what the server sent last, by id: what is shown has our buttons in it
  let skew = 0; // the server's clock ahead of this one, in ms: ages are the server's
  let failures = 0;
  let timer = 0;
  let asked = 0; // answers may overtake one another, and what is known is not to be undone by an older one
  let taken = 0;

  const ageText = (seconds) => {
    const future = seconds < -1;
    const s = Math.abs(seconds);
    const found = [["d", 86400], ["h", 3600], ["m", 60]].find(([, size]) => s >= 2 * size);
    const text = found ? Math.floor(s / found[1]) + found[0] : Math.floor(s) + "s";
    return future ? "in " + text : (seconds < 0 ? "0s" : text) + " ago";
  };

  const tick = () => {
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time.age")) {
      const text = ageText((now - Date.parse(time.dateTime)) / 1000);
      if (time.textContent !== text) time.textContent = text;
    }
    if (failures > 1) {
      lost.textContent = "Connection lost. What you see is as of " + liveTime.textContent + ", " +
        ageText((now - Date.parse(liveTime.dateTime)) / 1000) + "; it may be different now.";
    }
  };

  const copied = async (code, button) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard without TLS: then it is selected, one key from copied
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  };

  const furnish = (root) => {
    root.querySelectorAll("code.command").forEach((code, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.id = root.id + "-copy-" + number;
      button.textContent = "copy";
      button.setAttribute("aria-label", "Copy " + code.textContent);
      button.addEventListener("click", () => copied(code, button));
      code.after(button);
    });
  };

  const isBeingSelected = (section) => {
    const selection = getSelection();
    return selection !== null && !selection.isCollapsed && selection.containsNode(section, true);
  };

  const take = (fresh) => {
    for (const theirs of fresh.querySelectorAll("[data-live]")) {
      const ours = document.getElementById(theirs.id);
      const source = theirs.outerHTML;
      if (ours === null || sources.get(theirs.id) === source || isBeingSelected(ours)) continue;
      if (theirs.dataset.say && theirs.dataset.say !== ours.dataset.say) said.textContent = theirs.dataset.say;
      const focused = ours.contains(document.activeElement) ? document.activeElement.id : "";
      sources.set(theirs.id, source);
      const placed = document.importNode(theirs, true);
      ours.replaceWith(placed);
      furnish(placed);
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    }
    document.title = fresh.title;
    const at = fresh.getElementById("live-time");
    liveTime.dateTime = at.dateTime;
    liveTime.textContent = at.textContent;
    skew = Date.parse(at.dateTime) - Date.now();
  };

  const show = (state) => {
    live.className = "live " + state;
    liveState.textContent = state === "renewed" ? "live, as of" : "as of";
    document.body.classList.toggle("stopped", state === "stopped");
    if (state === "renewed") lost.hidden = true;
    else if (lost.hidden) { lost.hidden = false; }
  };

  const renew = async () => {
    clearTimeout(timer);
    const turn = ++asked;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error("status " + answer.status);
      const page = await answer.text();
      if (turn > taken) {
        taken = turn;
        take(new DOMParser().parseFromString(page, "text/html"));
      }
      failures = 0;
      show("renewed");
    } catch {
      failures += 1;
      if (failures > 1) show("stopped"); // one answer that is lost is no news
    }
    tick();
    if (!document.hidden) timer = setTimeout(renew, EVERY_MS);
  };

  skew = Date.parse(live.dataset.at) - Date.now();
  for (const section of document.querySelectorAll("[data-live]")) {
    sources.set(section.id, section.outerHTML);
    furnish(section);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  setInterval(tick, 1000);
  timer = setTimeout(renew, 1000);
})();
