declare module "*.wav" {
  /** Path of the file, also when it is embedded in the executable. */
  const path: string;
  export default path;
}
