type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that processes of models get, in capitals: those that programs, languages and their libraries read. */
const NAMES: ReadonlySet<string> = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "TERM"],
  ...["LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "BUN_CONFIG_MAX_HTTP_REQUESTS"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"],
  ...["CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_EXE", "NODE_PATH", "NODE_EXTRA_CA_CERTS"],
]);
const PREFIXES = [
  ...["LC_", "XDG_", "PYTHON", "PYENV_", "CUDA_", "CUDNN_", "CUBLAS_", "NCCL_", "NVIDIA_", "ROCR_", "HIP_", "HSA_"],
  ...[
    "HF_",
    "TRANSFORMERS_",
    "TORCH_",
    "PYTORCH_",
    "TF_CPP_",
    "TF_GPU_",
    "TF_XLA_",
    "XLA_",
    "JAX_",
    "ORT_",
    "NEMO_",
    "CT2_",
  ],
  ...["OMP_", "MKL_", "OPENBLAS_", "KMP_", "GOMP_", "NUMEXPR_", "BLIS_", "VECLIB_", "MALLOC_"],
];

/**
 * Returns the environment of a process that runs a model: what is on the list above, and what is configured. Nothing
 * else of this program's environment passes, because anything may be a secret.
 */
export function modelVariables(
  configured: Readonly<Record<string, string>>,
  env: Environment = process.env,
): Record<string, string> {
  const passed = Object.entries(env).filter((entry): entry is [string, string] => {
    const name = entry[0].toUpperCase();
    return entry[1] !== undefined && (NAMES.has(name) || PREFIXES.some((prefix) => name.startsWith(prefix)));
  });
  // Bun would send reports of crashes, and its collector paces itself by the machine.
  return { ...Object.fromEntries(passed), BUN_ENABLE_CRASH_REPORTING: "0", ...configured };
}
