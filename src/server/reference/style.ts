/** The style of the page. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1d2330; --soft: #566072; --line: #d9dee7; --paper: #fff; --shade: #f4f6f9;
  --link: #0b57a8; --mark: #fff3c4; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ef; --soft: #a3adbd; --line: #343c4b; --paper: #14181f; --shade: #1d232d; --link: #8abdf5;
    --mark: #4a3f12; }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; color: var(--text); background: var(--paper); font: 1rem/1.55 system-ui, sans-serif; }
a { color: var(--link); }
a.self { color: inherit; text-decoration: none; }
a.self:hover, a.self:focus { text-decoration: underline; }
code { font: 0.92em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
nav { padding: 1.25rem; background: var(--shade); font-size: 0.9rem; }
nav p { margin: 1rem 0 0.25rem; font-weight: 600; }
nav ul { margin: 0; padding: 0; list-style: none; columns: 9rem; }
nav li { padding: 0.1rem 0; break-inside: avoid; }
nav a { text-decoration: none; }
nav a:hover, nav a:focus { text-decoration: underline; }
main { max-width: 54rem; padding: 1.25rem; }
h1, h2, h3, h4, h5 { line-height: 1.25; }
h1 { margin: 0 0 0.5rem; font-size: 1.9rem; }
h2 { margin: 3.5rem 0 0.5rem; padding-bottom: 0.35rem; border-bottom: 2px solid var(--line); font-size: 1.5rem; }
h3 { margin: 2.75rem 0 0.5rem; font-size: 1.2rem; }
h4 { margin: 2rem 0 0.4rem; font-size: 1.05rem; }
h5 { margin: 1rem 0 0.25rem; font-size: 0.95rem; }
h3 code, h4 code { margin-right: 0.4em; }
p { margin: 0.4rem 0 0.8rem; }
dl { margin: 0.5rem 0 1rem; border-top: 1px solid var(--line); }
dl > div { display: grid; grid-template-columns: minmax(0, 15rem) minmax(0, 1fr); gap: 0 1.25rem; padding: 0.5rem 0;
  border-bottom: 1px solid var(--line); }
dt { font-weight: 600; }
dt span { display: block; color: var(--soft); font-size: 0.85rem; font-weight: 400; }
dd { margin: 0; }
.more { margin: 0.2rem 0 0; color: var(--soft); font-size: 0.875rem; }
section > section { margin-left: 0; }
:target { background: var(--mark); }
section:target { background: none; }
section:target > :first-child { background: var(--mark); }
pre { margin: 0.75rem 0; padding: 0.75rem 1rem; border-radius: 6px; background: var(--shade); white-space: pre-wrap; }
table { border-collapse: collapse; font-size: 0.92rem; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; border-bottom: 1px solid var(--line); text-align: left; }
tbody th { font-weight: 400; }
summary { cursor: pointer; font-weight: 600; font-size: 0.95rem; }
@media (min-width: 62rem) {
  body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border-right: 1px solid var(--line); }
  nav ul { columns: auto; }
  main { padding: 2rem 3rem 6rem; }
}
@media (max-width: 40rem) {
  nav ul.long { display: none; }
  dl > div { grid-template-columns: minmax(0, 1fr); }
  dt span { display: inline; margin-left: 0.4em; }
  th, td { padding-right: 0.5rem; }
}
@media print { nav { display: none; } }
`;
