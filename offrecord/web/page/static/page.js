// SPDX-License-Identifier: Apache-2.0
// Keeps the board live: puts in the fragments that the server sends, counts pauses down, sends
// presses without leaving the page. Everything works without it too, by forms and reloads.
"use strict";
{
  const byId = (id) => document.getElementById(id);
  const body = document.body;
  const beat = Number(body.dataset.beat);
  let skew = Number(body.dataset.now || Date.now()) - Date.now();
  let heard = 0; // when the server was last heard of
  let source = null;

  const keyOf = (one) =>
    one.id || one.getAttribute("href") || one.value || one.dataset.key || "";

  // Change what is in a place, and leave the focus and what was unfolded as they were.
  function keeping(place, change) {
    const active = place.contains(document.activeElement) ? document.activeElement : null;
    const key = active && keyOf(active);
    const card = active && active.closest("li[id]");
    const open = [...place.querySelectorAll("details[open] > summary")].map(keyOf);
    change();
    for (const one of place.querySelectorAll("summary"))
      if (keyOf(one) && open.includes(keyOf(one))) one.parentElement.open = true;
    if (!active || document.activeElement === active) return;
    if (active.isConnected) return active.focus({ preventScroll: true }); // it was moved
    const all = [...place.querySelectorAll("a, button, summary, input")];
    const now = card && byId(card.id);
    const next = all.find((one) => keyOf(one) === key) || (now && now.querySelector("button, a"));
    const head = place.closest("section")?.querySelector("h2");
    (next || head || byId("main")).focus({ preventScroll: true });
  }

  function parsed(html) {
    const made = document.createElement("template");
    made.innerHTML = html;
    return made.content;
  }

  const put = (id) => (event) =>
    keeping(byId(id), () => byId(id).replaceChildren(parsed(event.data)));

  function calls(event) {
    const list = byId("calls");
    keeping(list, () => {
      const kept = new Map([...list.children].map((one) => [one.dataset.call, one]));
      const wanted = [...parsed(event.data).children].map((one) =>
        "same" in one.dataset ? kept.get(one.dataset.call) : one);
      if (wanted.includes(undefined)) return follow(); // something was missed: all of it again
      for (const one of [...list.children]) if (!wanted.includes(one)) one.remove();
      wanted.forEach((one, place) => {
        if (list.children[place] !== one) list.insertBefore(one, list.children[place] || null);
      });
    });
    count();
  }

  function count() {
    for (const one of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.ceil((Number(one.dataset.until) - Date.now() - skew) / 1000));
      one.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
    }
  }

  function show(live) {
    const place = byId("live");
    if (body.classList.contains("lost") === !live && place.dataset.told) return;
    place.dataset.told = "yes";
    body.classList.toggle("lost", !live);
    const at = new Date(heard + skew).toISOString().slice(11, 19);
    place.lastElementChild.textContent = live ? "live" : heard ? `not live since ${at}Z` : "not live";
    place.querySelector("use").setAttribute("href", live ? "#m-disc" : "#m-triangle");
  }

  function notice(text) {
    byId("notice").textContent = text;
    byId("notice").hidden = !text;
  }

  function follow() {
    if (source) source.close();
    source = new EventSource(body.dataset.events + location.search);
    source.addEventListener("status", put("status"));
    source.addEventListener("presses", put("presses"));
    source.addEventListener("calls", calls);
    source.addEventListener("said", (event) => (byId("said").textContent = event.data));
    source.addEventListener("bye", () => location.reload());
    source.addEventListener("beat", (event) => {
      skew = Number(event.data) - Date.now();
      heard = Date.now();
      show(true);
    });
    source.onerror = () => show(false);
  }

  // The browser tries again by itself, but not after a refusal, nor when nothing comes any more.
  function watch() {
    count();
    if (!source) return;
    const silent = Date.now() - heard > 2.2 * beat;
    if (silent) show(false);
    if (source.readyState === EventSource.CLOSED || (silent && Date.now() - tried > 2.2 * beat)) {
      tried = Date.now();
      follow();
    }
  }
  let tried = Date.now();

  const busy = new Set();
  async function press(event) {
    if (event.target.id !== "press") return;
    event.preventDefault();
    const { name, value } = event.submitter;
    if (busy.has(value)) return; // a double click is one press
    busy.add(value);
    event.submitter.setAttribute("aria-busy", "true");
    const fields = new URLSearchParams(new FormData(event.target));
    fields.set(name, value);
    const began = Date.now();
    try {
      const headers = { Accept: "application/json" };
      const answer = await fetch(event.target.action, { method: "POST", body: fields, headers });
      if (answer.status === 401) return location.reload();
      const told = await answer.json();
      notice(answer.ok ? "" : told.error);
      if (answer.ok) byId("said").textContent = told.text;
    } catch {
      notice("It is not known whether the press arrived: the server does not answer.");
    } finally {
      setTimeout(() => {
        busy.delete(value);
        for (const one of document.querySelectorAll("button[aria-busy]"))
          if (!busy.has(one.value)) one.removeAttribute("aria-busy");
      }, Math.max(0, 1000 - (Date.now() - began)));
    }
  }

  if (body.dataset.events) {
    document.addEventListener("submit", press);
    // What nobody looks at needs no connection; a browser has few of them.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) follow();
      else if (source) {
        source.close();
        source = null;
        show(false);
      }
    });
    addEventListener("pagehide", () => source && source.close());
    addEventListener("pageshow", (event) => event.persisted && follow());
    if (!document.hidden) follow();
    setInterval(watch, 500);
  }
}
