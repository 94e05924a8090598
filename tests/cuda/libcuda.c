/* A libcuda.so.1 without a GPU, for the package cuda.bindings to load: memory is the host's, kernels do nothing.

Every call is a line of the log: its name and numbers. `stub_fail(name, code)` lets the next call of a function answer with an error;
a code from 700 on stays, as faults of kernels do. Streams are always done unless `stub_busy` says how often they are not.
*/

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { void *func; unsigned grid[3], block[3], shared; void **params, **extra; void *kern, *ctx; } Node;
typedef struct { const char *name; } Function;

static char written[1 << 20], failing[64];
static int used, failing_code, stuck, busy, version = 12080, capability[2] = {9, 0}, devices = 1;
static size_t free_bytes = 64u << 20;
static __thread void *current;
static int contexts[8];

const char *stub_log(void) { return written; }
void stub_clear(void) { used = 0; written[0] = 0; failing[0] = 0; stuck = 0; busy = 0; free_bytes = 64u << 20; }
void stub_fail(const char *name, int code) { snprintf(failing, sizeof failing, "%s", name); failing_code = code; }
void stub_busy(int turns) { busy = turns; }
void stub_set(int cuda, int major, int minor, int count) { version = cuda; capability[0] = major; capability[1] = minor; devices = count; }

static int said(const char *name, const char *format, ...) {
    va_list list;
    va_start(list, format);
    if (used < (int)sizeof written - 4096) {
        used += sprintf(written + used, "%s ", name);
        used += vsprintf(written + used, format, list);
        used += sprintf(written + used, "\n");
    }
    va_end(list);
    if (!strcmp(failing, name)) {
        failing[0] = 0;
        if (failing_code >= 700) stuck = failing_code;
        return failing_code;
    }
    return stuck;
}

#define CALL(name, arguments, ...) \
    int stub_##name arguments { int code = said(#name, __VA_ARGS__); if (code) return code;
#define END return 0; }

CALL(cuInit, (unsigned flags), "%u", flags) END
CALL(cuDriverGetVersion, (int *v), "") *v = version; END
CALL(cuDeviceGetCount, (int *n), "") *n = devices; END
CALL(cuDeviceGet, (int *d, int n), "%d", n) *d = n; END
CALL(cuDeviceGetName, (char *name, int length, int d), "%d", d) snprintf(name, length, "Stub GPU"); END
CALL(cuDeviceTotalMem, (size_t *n, int d), "%d", d) *n = 64u << 20; END
CALL(cuDeviceGetAttribute, (int *n, int a, int d), "%d %d", a, d)
    *n = a == 75 ? capability[0] : a == 76 ? capability[1] : a == 16 ? 132 : a == 97 ? 232448 : -1; END
CALL(cuDevicePrimaryCtxRetain, (void **c, int d), "%d", d) *c = &contexts[d]; END
int stub_cuCtxGetCurrent(void **c) { *c = current; return 0; }
CALL(cuCtxSetCurrent, (void *c), "%d", c ? (int)((int *)c - contexts) : -1) current = c; END
CALL(cuCtxPushCurrent, (void *c), "%d", (int)((int *)c - contexts)) current = c; END
CALL(cuCtxPopCurrent, (void **c), "") *c = current; current = &contexts[7]; END
void stub_other_context(void) { current = &contexts[7]; }
CALL(cuStreamCreate, (void **s, unsigned flags), "%u", flags) static int made; *s = (void *)(0x5000 + (uintptr_t)(made++)); END
int stub_cuStreamQuery(void *s) { if (stuck) return stuck; return busy > 0 ? (busy--, 600) : 0; }
CALL(cuStreamSynchronize, (void *s), "%p", s) END
CALL(cuCtxSynchronize, (void), "") END
CALL(cuStreamWaitEvent, (void *s, void *e, unsigned flags), "%p %u", s, flags) END
CALL(cuMemPoolCreate, (void **p, int *properties), "%d %d %d %d", properties[0], properties[1], properties[2], properties[3])
    *p = (void *)0x6000; END
CALL(cuMemAllocFromPoolAsync, (uint64_t *a, size_t n, void *p, void *s), "%zu %p %p", n, p, s)
    if (n > free_bytes) return 2;
    free_bytes -= n;
    size_t *block = aligned_alloc(256, (n + 256 + 255) / 256 * 256);
    *block = n;
    *a = (uint64_t)block + 256; END
CALL(cuMemFreeAsync, (uint64_t a, void *s), "%p", s) free_bytes += *(size_t *)(a - 256); free((void *)(a - 256)); END
CALL(cuMemGetInfo, (size_t *f, size_t *t), "") *f = free_bytes; *t = 64u << 20; END
CALL(cuMemcpyHtoDAsync, (uint64_t to, const void *from, size_t n, void *s), "%zu %p", n, s) memcpy((void *)to, from, n); END
CALL(cuMemcpyDtoHAsync, (void *to, uint64_t from, size_t n, void *s), "%zu %p", n, s) memcpy(to, (void *)from, n); END
CALL(cuMemcpyDtoDAsync, (uint64_t to, uint64_t from, size_t n, void *s), "%zu %p", n, s) memmove((void *)to, (void *)from, n); END
CALL(cuMemHostGetDevicePointer, (uint64_t *d, void *h, unsigned flags), "%u", flags) *d = (uint64_t)h; END
CALL(cuMemHostAlloc, (void **p, size_t n, unsigned flags), "%zu %u", n, flags) *p = malloc(n); END
int stub_cuModuleLoadDataEx(void **m, const char *text, unsigned n, int *options, void **values) {
    int code = said("cuModuleLoadDataEx", "%d %s", (int)strlen(text), n == 2 && options[0] == 5 && options[1] == 6 ? "log" : "");
    if (code == 218) snprintf(values[0], (size_t)values[1], "ptxas application ptx input, line 7; error: Unknown symbol 'x'\nline two\n");
    if (!code) *m = (void *)0x7000;
    return code;
}
CALL(cuModuleUnload, (void *m), "%p", m) END
CALL(cuModuleGetFunction, (void **f, void *m, const char *name), "%p %s", m, name)
    Function *made = malloc(sizeof *made);
    made->name = strdup(name);
    *f = made; END
CALL(cuFuncSetAttribute, (Function *f, int a, int value), "%s %d %d", f->name, a, value) END
CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *n, Function *f, int threads, size_t shared), "%s %d %zu", f->name, threads,
     shared) *n = 2048 / threads; END
CALL(cuGraphCreate, (void **g, unsigned flags), "%u", flags) *g = malloc(8); END
int stub_cuGraphAddKernelNode(void **node, void *g, void **before, size_t count, Node *p) {
    uint64_t first = p->params && p->params[0] ? *(uint64_t *)p->params[0] : 0;
    uint64_t second = p->params && p->params[1] ? *(uint64_t *)p->params[1] : 0;
    int code = said("cuGraphAddKernelNode", "%s grid %u %u %u block %u %u %u shared %u words %llu %lld behind %zu",
                    ((Function *)p->func)->name, p->grid[0], p->grid[1], p->grid[2], p->block[0], p->block[1], p->block[2], p->shared,
                    (unsigned long long)first, (long long)second, count);
    static uintptr_t nodes = 0x8000;
    *node = (void *)++nodes;
    return code;
}
CALL(cuGraphKernelNodeSetAttribute, (void *node, int a, int *value), "%d %d", a, value[0]) END
CALL(cuGraphInstantiateWithFlags, (void **e, void *g, unsigned long long flags), "%llu", flags) *e = malloc(8); END
CALL(cuGraphDestroy, (void *g), "") free(g); END
CALL(cuGraphLaunch, (void *e, void *s), "%p", s) if (!current) return 201; END
CALL(cuLaunchKernel, (Function *f, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *s,
     void **params, void **extra), "%s grid %u %u %u block %u %u %u shared %u %p word %lld extra %p", f->name, x, y, z, bx, by, bz, shared, s,
     params ? *(long long *)params[0] : 0, (void *)extra) END
CALL(cuLaunchCooperativeKernel, (Function *f, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz, unsigned shared,
     void *s, void **params), "%s grid %u %u %u block %u %u %u shared %u %p word %lld", f->name, x, y, z, bx, by, bz, shared, s,
     params ? *(long long *)params[0] : 0) END
CALL(cuGraphExecDestroy, (void *e), "") free(e); END
CALL(cuEventCreate, (void **e, unsigned flags), "%u", flags) *e = malloc(8); END
int stub_cuEventRecord(void *e, void *s) { return said("cuEventRecord", "%p", s); }
int stub_cuEventQuery(void *e) { if (stuck) return stuck; return busy > 0 ? (busy--, 600) : 0; }
int stub_cuEventDestroy(void *e) { free(e); return 0; }
CALL(cuPointerGetAttribute, (int *value, int attribute, uint64_t p), "%d", attribute) *value = 0; END
int stub_cuGetErrorName(int code, const char **s) {
    *s = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR"; return 0; }
int stub_cuGetErrorString(int code, const char **s) {
    *s = code == 2 ? "out of memory" : code == 700 ? "an illegal memory access was encountered" : "as the stub was told"; return 0; }

int cuGetProcAddress_v2(const char *name, void **found, int cuda, uint64_t flags, int *status) {
    char symbol[128];
    snprintf(symbol, sizeof symbol, "stub_%s", name);
    static void *self;
    if (!self) { Dl_info info; dladdr((void *)cuGetProcAddress_v2, &info); self = dlopen(info.dli_fname, RTLD_LAZY); }
    void *f = dlsym(self, symbol);
    if (found) *found = f;
    if (status) *status = f ? 0 : 1;
    return f ? 0 : 500;
}
