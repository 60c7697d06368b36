// Appended to Mermaid in diagrams.js: draws the diagram of an element into it.
{
  let drawn = 0;
  // One at a time: the theme is a setting of all of Mermaid.
  let last = Promise.resolve();
  globalThis.drawDiagram = (element, isDark) => {
    last = last.then(async () => {
      const { mermaid } = globalThis;
      // Mermaid's own background of labels is too light for its dark theme's text.
      const colours = isDark
        ? { theme: "dark", themeVariables: { edgeLabelBackground: "#333" } }
        : { theme: "neutral" };
      mermaid.initialize({ startOnLoad: false, ...colours });
      const { svg } = await mermaid.render(`diagram-${drawn++}`, element.dataset.code);
      element.innerHTML = svg;
      const picture = element.querySelector("svg");
      // On a narrow screen a wide diagram scrolls; smaller letters could not be read.
      picture.style.minWidth = `${Math.round(picture.viewBox.baseVal.width * 0.6)}px`;
    });
    return last;
  };
}
