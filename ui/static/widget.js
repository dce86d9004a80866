/* 文据 in somebody else's page: one script tag, a button, and the chat in a frame.

   <script src="https://kb.example/kb/widget.js" defer data-title="问文件" data-position="right" data-accent="#a8281e"
           data-question="…" data-token="…"></script>

   data-title     the button's text (问文件)            data-position  right or left (right)
   data-accent    colour of the button and the chat's   data-paper, data-ink   its background and text (CSS colours)
   data-question  asked when the chat is first opened   data-token     the portal's signed token, if people sign in
   Scripts of the page may call Wenju.open(), .close(), .ask(question), .token(newToken); the event "wenju:signin" of the
   window says that a token is wanted (there was none, or it has expired).
   The page's origin has to be in the service's portal.origins, or the browser refuses to show the frame. */
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || window.Wenju) return;
  const given = script.dataset, base = new URL("./", script.src), title = given.title || "问文件";
  const colours = ["accent", "paper", "ink"].filter((name) => given[name] && CSS.supports("color", given[name]));
  const side = given.position === "left" ? "left" : "right";

  // A shadow root: the portal's style sheets do not reach in, ours do not reach out.
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = `
    :host { all: initial; --accent: #a8281e; --paper: #faf9f6; position: fixed; z-index: 2147483000; bottom: 20px; ${side}: 20px;
      font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
    button { display: block; margin-${side === "left" ? "right" : "left"}: auto; border: 0; border-radius: 999px; padding: 12px 20px; font: inherit; font-weight: 600;
      color: #fff; background: var(--accent); cursor: pointer; box-shadow: 0 4px 16px rgb(0 0 0 / 22%); }
    button:hover { filter: brightness(1.08); }
    button:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
    section { position: absolute; bottom: calc(100% + 12px); ${side}: 0; width: min(440px, calc(100vw - 40px));
      height: min(680px, calc(100vh - 110px)); border-radius: 14px; overflow: hidden; background: var(--paper);
      border: 1px solid rgb(0 0 0 / 12%); box-shadow: 0 12px 48px rgb(0 0 0 / 28%); }
    section[hidden] { display: none; }
    iframe { width: 100%; height: 100%; border: 0; display: block; }
    @media (max-width: 480px) { section { position: fixed; inset: 0 0 76px; width: auto; height: auto; border-radius: 0; } }`;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = title;
  button.setAttribute("aria-expanded", "false");
  const panel = document.createElement("section");
  panel.hidden = true;
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", title);
  root.append(style, panel, button);
  for (const name of colours) host.style.setProperty(`--${name}`, given[name]);

  let frame = null, ready = false, signing = false, waiting = [];
  const tell = (message) => (ready ? frame.contentWindow.postMessage(message, base.origin) : waiting.push(message));

  function load() {  // only when first opened: a page that nobody asks on asks nothing of the service
    const address = new URL("embed", base);
    for (const name of colours) address.searchParams.set(name, given[name]);
    if (given.token) address.hash = `token=${encodeURIComponent(given.token)}`;  // servers and their logs never see it
    frame = document.createElement("iframe");
    frame.title = title;
    frame.allow = "clipboard-write";
    frame.referrerPolicy = "origin";
    frame.src = address.href;
    panel.append(frame);
    if (given.question) tell({ wenju: "ask", text: given.question });
  }

  function open() {
    if (!frame) load();
    panel.hidden = false;
    button.setAttribute("aria-expanded", "true");
    frame.focus();
  }

  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }

  button.addEventListener("click", () => (panel.hidden ? open() : close()));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  window.addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== base.origin) return;
    if (event.data?.wenju === "close") close();
    if (event.data?.wenju === "signin") {
      ready = false;
      signing = true;
      window.dispatchEvent(new CustomEvent("wenju:signin"));
    }
    if (event.data?.wenju === "ready") {
      ready = true;
      waiting.splice(0).forEach(tell);
    }
  });
  window.Wenju = Object.freeze({
    open, close,
    ask: (text) => { open(); tell({ wenju: "ask", text: String(text) }); },
    token: (token) => {
      given.token = String(token);
      if (ready || signing) frame.contentWindow.postMessage({ wenju: "token", token: given.token }, base.origin);
    },
  });
  const show = () => document.body.append(host);
  document.body ? show() : document.addEventListener("DOMContentLoaded", show);
})();
