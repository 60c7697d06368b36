declare module "*.bash" {
  /** The text of the file. */
  const text: string;
  export default text;
}

declare module "*.zsh" {
  /** The text of the file. */
  const text: string;
  export default text;
}

declare module "*.fish" {
  /** The text of the file. */
  const text: string;
  export default text;
}
