// The device, contexts, memory, and modules: libraries of kernels that the emulator runs.
#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>

#include "standin.h"

extern "C" int emulator_open(long bytes, long buffers);
extern "C" Buffer *emulator_map(long bytes, long element);

Result broken;

namespace {
constexpr long MEMORY = 8l << 30, MOST_BUFFERS = 1 << 16;
int primary;
thread_local std::vector<Handle> contexts;  // those pushed: PyCUDA aborts where a thread ends with one
bool initialized;
std::map<size_t, std::vector<Buffer *>> freed;
std::map<Address, std::pair<Buffer *, size_t>> in_use;
}  // namespace

DRIVER cuInit(unsigned)
{
    if (getenv("STANDIN_NO_DEVICE"))
        return 100;
    if (initialized)
        return SUCCESS;
    initialized = true;
    Dl_info self;  // the emulator's functions are to be found by modules, whoever loaded this library
    if (!dladdr((void *)cuInit, &self) || !dlopen(self.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD))
        return INVALID_VALUE;
    return emulator_open(MEMORY, MOST_BUFFERS) ? OUT_OF_MEMORY : SUCCESS;
}

DRIVER cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
DRIVER cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
DRIVER cuDeviceGet(int *device, int ordinal) { return *device = 0, ordinal ? INVALID_DEVICE : SUCCESS; }
DRIVER cuDeviceGetName(char *name, int size, int) { return snprintf(name, size, "stand-in"), SUCCESS; }
DRIVER cuDeviceComputeCapability(int *major, int *minor, int) { return *major = 9, *minor = 0, SUCCESS; }
DRIVER cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = MEMORY, SUCCESS; }
DRIVER cuDeviceGetPCIBusId(char *name, int size, int) { return snprintf(name, size, "0000:00:00.0"), SUCCESS; }

DRIVER cuDeviceGetAttribute(int *value, int attribute, int)
{
    switch (attribute) {
    case 1: case 2: *value = 1024; break;     // threads of a block
    case 10: *value = 32; break;              // of a warp
    case 12: *value = 65536; break;           // registers of a block
    case 16: *value = 132; break;             // multiprocessors
    case 75: *value = 9; break;               // compute capability
    case 97: *value = 227 << 10; break;       // shared memory of a block that asks for it
    default: *value = 0;
    }
    return SUCCESS;
}

// Contexts

DRIVER cuDevicePrimaryCtxRetain(Handle *context, int) { return *context = &primary, SUCCESS; }
DRIVER cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
DRIVER cuCtxPushCurrent_v2(Handle context) { return contexts.push_back(context), SUCCESS; }
DRIVER cuCtxPopCurrent_v2(Handle *context)
{
    if (contexts.empty())
        return INVALID_CONTEXT;
    if (context)
        *context = contexts.back();
    contexts.pop_back();
    return SUCCESS;
}
DRIVER cuCtxGetCurrent(Handle *context) { return *context = contexts.empty() ? nullptr : contexts.back(), SUCCESS; }
DRIVER cuCtxGetDevice(int *device) { return *device = 0, contexts.empty() ? INVALID_CONTEXT : SUCCESS; }
DRIVER cuCtxDetach(Handle) { return SUCCESS; }
DRIVER cuCtxSynchronize() { return wait_for_all(); }

// Memory: poisoned when it is handed out, so that whoever reads what nobody wrote gets NaN.

DRIVER cuMemAlloc_v2(Address *address, size_t size)
{
    if (contexts.empty())
        return INVALID_CONTEXT;
    if (broken)
        return broken;
    std::vector<Buffer *> &kept = freed[size];
    Buffer *b = kept.empty() ? emulator_map((long)(size + 255) / 256 * 256, 1) : kept.back();
    if (!b)
        return OUT_OF_MEMORY;
    if (!kept.empty())
        kept.pop_back();
    memset(b->start, 0xff, size);
    *address = (Address)b->start;
    in_use[*address] = {b, size};
    return SUCCESS;
}

DRIVER cuMemFree_v2(Address address)
{
    const auto found = in_use.find(address);
    if (found == in_use.end())
        return INVALID_VALUE;
    const Result waited = wait_for_all();
    freed[found->second.second].push_back(found->second.first);
    in_use.erase(found);
    return waited;
}

DRIVER cuMemGetInfo_v2(size_t *unused, size_t *total) { return *unused = *total = MEMORY, SUCCESS; }

// Modules

DRIVER cuModuleLoadDataEx(Handle *module, const void *image, unsigned, void *, void *)
{
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)image;
    if (memcmp(image, ELFMAG, SELFMAG) || head->e_machine == 190)  // a real cubin
        return NO_BINARY;
    const size_t size = head->e_shoff + (size_t)head->e_shnum * head->e_shentsize;
    const int file = memfd_create("module", 0);
    if (write(file, image, size) != (ssize_t)size)
        return OUT_OF_MEMORY;
    *module = dlopen(("/proc/self/fd/" + std::to_string(file)).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!*module)
        fprintf(stderr, "stand-in: %s\n", dlerror());
    return *module ? SUCCESS : INVALID_IMAGE;
}
DRIVER cuModuleLoadData(Handle *module, const void *image) { return cuModuleLoadDataEx(module, image, 0, 0, 0); }
DRIVER cuModuleUnload(Handle) { return SUCCESS; }

DRIVER cuModuleGetFunction(Handle *function, Handle module, const char *name)
{
    void *run = dlsym(module, ("plain_" + std::string(name)).c_str());
    if (!run)
        return NOT_FOUND;
    *function = new Function{name, (Entry)run};
    return SUCCESS;
}

DRIVER cuFuncSetAttribute(Handle function, int attribute, int value)
{
    if (attribute != 8 || value > 227 << 10)  // shared memory that a launch gives
        return INVALID_VALUE;
    ((Function *)function)->most_shared = value;
    return SUCCESS;
}
DRIVER cuFuncGetAttribute(int *value, int, Handle) { return *value = 0, SUCCESS; }

// Errors

DRIVER cuGetErrorString(Result error, const char **text)
{
    switch (error) {
    case OUT_OF_MEMORY: *text = "out of memory"; break;
    case 100: *text = "no CUDA-capable device is detected"; break;
    case INVALID_VALUE: *text = "invalid argument"; break;
    case NO_BINARY: *text = "no kernel image is available for execution on the device"; break;
    case ILLEGAL_ADDRESS: *text = "an illegal memory access was encountered"; break;
    case CAPTURE_UNSUPPORTED: *text = "operation not permitted when stream is capturing"; break;
    default: *text = "an error of the stand-in";
    }
    return SUCCESS;
}
DRIVER cuGetErrorName(Result error, const char **text) { return cuGetErrorString(error, text); }
