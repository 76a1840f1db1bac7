// Counts, in the page, what each message of an answer's stream does to the document.
(() => {
  const probe = (window.probe = { chunks: [], tasks: [] });
  const nodes = (node) => {
    const walker = document.createTreeWalker(node);
    let count = 1;
    while (walker.nextNode()) count += 1;
    return count;
  };
  const touch = (chunk, records) => {
    for (const { type, target, oldValue, addedNodes, removedNodes } of records) {
      if (type === "characterData") {
        chunk.nodes += 1;
        chunk.characters += Math.abs(target.data.length - oldValue.length);
      }
      for (const node of [...addedNodes, ...removedNodes]) {
        chunk.nodes += nodes(node);
        chunk.characters += node.textContent.length;
      }
    }
  };
  const observer = new MutationObserver((records) => {
    if (probe.chunks.length) touch(probe.chunks.at(-1), records);
  });
  const what = { subtree: true, childList: true, characterData: true, characterDataOldValue: true };
  observer.observe(document, what);
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) probe.tasks.push({ startTime, duration });
  }).observe({ type: "longtask", buffered: true });
  const listen = EventSource.prototype.addEventListener;
  EventSource.prototype.addEventListener = function (name, act) {
    listen.call(this, name, (event) => {
      const bytes = new Blob([event.data]).size;
      const at = performance.now();
      const chunk = { name, bytes, at, nodes: 0, characters: 0, script: 0 };
      probe.chunks.push(chunk);
      act(event);
      chunk.script = performance.now() - at;
    });
  };
})();
