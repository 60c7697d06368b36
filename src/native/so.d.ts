declare module "*.so" {
  /** Where the file is, also when it is contained in the executable. */
  const path: string;
  export default path;
}
