/* Inside a frame (/embed), and on the page that asks to sign in. Runs before everything else. */
(() => {
  "use strict";
  const parent = window.parent === window ? null : window.parent;

  // In a frame of another site browsers may refuse storage, and Gradio does not expect that.
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      window[name].getItem("");
    } catch {
      const kept = new Map();
      const value = {
        getItem: (key) => kept.get(String(key)) ?? null, setItem: (key, text) => void kept.set(String(key), String(text)),
        removeItem: (key) => void kept.delete(String(key)), clear: () => kept.clear(),
        key: (n) => [...kept.keys()][n] ?? null, get length() { return kept.size; },
      };
      Object.defineProperty(window, name, { value, configurable: true });
    }
  }

  // ---------------------------------------------------------------- signing in with the portal's token
  async function enter(token) {
    const answer = await fetch("./api/v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    return answer.ok ? "" : (await answer.json()).detail;
  }

  const given = /^#token=([^&]+)$/.exec(location.hash);
  if (given) history.replaceState(null, "", location.pathname + location.search);  // not in the history, not in bookmarks
  const entering = given ? enter(decodeURIComponent(given[1])) : Promise.resolve(null);
  const onSignInPage = () => document.body.classList.contains("wj-signin");

  async function signIn(outcome) {
    const problem = await outcome;
    if (!onSignInPage()) return;
    if (problem === "") return location.reload();
    parent?.postMessage({ wenju: "signin" }, "*");
    if (problem) document.querySelector("[role=status]").textContent = problem;
    else if (document.body.dataset.login) toProvider(document.body.dataset.login);
  }

  // ---------------------------------------------------------------- signing in with an OpenID provider
  // Providers refuse frames, so from a frame it goes through a window of its own. Without a session after all (a browser
  // that keeps no cookies), the second time waits for a click, or it would go round and round.
  function toProvider(login) {
    const link = document.querySelector("main a");
    const here = `/${location.pathname.split("/").pop()}${location.search}${location.hash}`;
    link.href = `${login}?next=${encodeURIComponent(parent ? "/auth/done" : here)}`;
    if (parent) {
      link.target = "_blank";
      link.addEventListener("click", () => addEventListener("focus", () => location.reload()));
    } else if (Date.now() - Number(sessionStorage.getItem("wenju.signin")) > 20_000) {
      sessionStorage.setItem("wenju.signin", Date.now());
      location.replace(link.href);
    }
  }

  // ---------------------------------------------------------------- what the page around us says
  async function ask(text) {
    const box = await until(() => document.querySelector("#wj-box textarea"));
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    const send = await until(() => document.querySelector("#wj-send"));
    setTimeout(() => send.click(), 50);  // after Gradio has taken the text over
  }

  async function until(look) {
    let found;
    while (!(found = look())) await new Promise((again) => setTimeout(again, 50));
    return found;
  }

  function colour() {
    const asked = new URLSearchParams(location.search);
    for (const [name, variable] of [["accent", "--seal"], ["paper", "--paper"], ["ink", "--ink"]]) {
      const value = asked.get(name);
      if (value && CSS.supports("color", value)) document.body.style.setProperty(variable, value);
    }
  }

  if (parent) {
    window.addEventListener("message", (event) => {
      if (event.source !== parent) return;  // whose page may be around us, frame-ancestors says
      if (event.data?.wenju === "ask") ask(String(event.data.text));
      if (event.data?.wenju === "token") signIn(enter(String(event.data.token)));
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) parent.postMessage({ wenju: "close" }, "*");
    });
  }
  document.addEventListener("DOMContentLoaded", async () => {
    colour();
    signIn(entering);
    if (!parent || onSignInPage()) return;
    await until(() => document.querySelector("#wj-send"));
    parent.postMessage({ wenju: "ready" }, "*");
  });
})();
