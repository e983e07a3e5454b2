// What TensorBoard's page, in which this one is a frame, has to say.

/** Whether our tab is the one that is open: TensorBoard keeps the others at no height. */
export function isShown() {
  return !document.hidden && window.innerHeight > 0;
}

/** Follows dark mode, of which TensorBoard does not tell its plugins. */
export function onTheme(listener) {
  const body = window.parent.document.body;
  const follow = () => {
    const theme = body.classList.contains("dark-mode") ? "dark" : "light";
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    listener();
  };
  follow();
  new MutationObserver(follow).observe(body, { attributeFilter: ["class"] });
}

/** Follows the reload button. The messages are those of TensorBoard's experimental plugin library. */
export function onReload(listener) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "experimental.DataReloaded") listener();
    if (!message.isReply) {
      port1.postMessage(JSON.stringify({ type: message.type, id: message.id, payload: null, error: null, isReply: true }));
    }
  };
  window.parent.postMessage("experimental.bootstrap", "*", [port2]);
}
