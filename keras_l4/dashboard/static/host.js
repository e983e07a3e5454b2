// The page of TensorBoard, which shows this page in a frame.

/** Whether the tab is selected. TensorBoard gives the frames of other tabs a height of zero. */
export function isVisible() {
  return !document.hidden && window.innerHeight > 0;
}

/** Follows dark mode. TensorBoard does not notify plugins of it, but marks its own page. */
export function onThemeChange(listener) {
  const body = window.parent.document.body;
  const update = () => {
    const theme = body.classList.contains("dark-mode") ? "dark" : "light";
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    listener();
  };
  update();
  new MutationObserver(update).observe(body, { attributeFilter: ["class"] });
}

/** Follows TensorBoard's reload button, by the messages of its experimental plugin library. */
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
