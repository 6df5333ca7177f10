/* SIMULATED libnvidia-ml.so.1 (built with -DNVML) and libcuda.so.1 (with -DCUDA): no GPU is behind
   them. They count and name the devices that the simulated hook put into a container, and nothing
   else. No header and no library is needed, so that any C compiler builds them and any libc loads
   them. Names, numbers and layouts are those of NVIDIA's documented interfaces. */

extern int access(const char *path, int mode);

typedef unsigned long long u64;
typedef struct { int minor; const char *node, *uuid; u64 mib; const char *name; } Device;

static const Device devices[] = {
@DEVICES@
};
enum { MOST = sizeof devices / sizeof *devices, MIB = 1 << 20, CUDA_VERSION = @CUDA@ };

static const Device *there(unsigned index) /* the index-th one that is in this container, or none */
{
    for (int at = 0; at < MOST; at++)
        if (access(devices[at].node, 0) == 0 && index-- == 0)
            return &devices[at];
    return 0;
}

static unsigned count(void)
{
    unsigned found = 0;
    while (there(found))
        found++;
    return found;
}

static int same(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

static int copy(char *to, unsigned room, const char *text) /* 0, or -1 where there's no room */
{
    for (unsigned at = 0; at < room; at++)
        if (!(to[at] = text[at]))
            return 0;
    return -1;
}

#ifdef NVML
enum { OK, UNINITIALIZED, INVALID, UNSUPPORTED, NOT_FOUND = 6, TOO_SMALL, NO_DRIVER = 9 };
static int ready;

static int text(char *to, unsigned room, const char *from)
{
    return copy(to, room, from) ? TOO_SMALL : OK;
}

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    ready = access("/dev/nvidiactl", 0) == 0;
    return ready ? OK : NO_DRIVER;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { ready = 0; return OK; }

const char *nvmlErrorString(int code)
{
    switch (code) {
    case OK: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID: return "Invalid Argument";
    case NOT_FOUND: return "Not Found";
    case TOO_SMALL: return "Insufficient Size";
    case NO_DRIVER: return "Driver Not Loaded";
    default: return "Not Supported by the simulated driver";
    }
}

int nvmlSystemGetDriverVersion(char *to, unsigned room) { return text(to, room, "@DRIVER@"); }
int nvmlSystemGetNVMLVersion(char *to, unsigned room) { return text(to, room, "@DRIVER@"); }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = CUDA_VERSION; return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = CUDA_VERSION; return OK; }

int nvmlDeviceGetCount_v2(unsigned *found)
{
    *found = count();
    return ready ? OK : UNINITIALIZED;
}
int nvmlDeviceGetCount(unsigned *found) { return nvmlDeviceGetCount_v2(found); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const Device **found)
{
    if (!ready)
        return UNINITIALIZED;
    *found = there(index);
    return *found ? OK : INVALID;
}
int nvmlDeviceGetHandleByIndex(unsigned index, const Device **found)
{
    return nvmlDeviceGetHandleByIndex_v2(index, found);
}
int nvmlDeviceGetHandleByUUID(const char *uuid, const Device **found)
{
    if (!ready)
        return UNINITIALIZED;
    for (unsigned at = 0; (*found = there(at)); at++)
        if (same((*found)->uuid, uuid))
            return OK;
    return NOT_FOUND;
}

int nvmlDeviceGetIndex(const Device *one, unsigned *index)
{
    for (unsigned at = 0; there(at); at++)
        if (there(at) == one) {
            *index = at;
            return OK;
        }
    return INVALID;
}
int nvmlDeviceGetMinorNumber(const Device *one, unsigned *minor) { *minor = one->minor; return OK; }
int nvmlDeviceGetName(const Device *one, char *to, unsigned room) { return text(to, room, one->name); }
int nvmlDeviceGetUUID(const Device *one, char *to, unsigned room) { return text(to, room, one->uuid); }

int nvmlDeviceGetMemoryInfo(const Device *one, u64 *total_free_used)
{
    total_free_used[0] = total_free_used[1] = one->mib * MIB;
    total_free_used[2] = 0;
    return OK;
}
typedef struct { unsigned version; u64 total, reserved, free, used; } Memory;
int nvmlDeviceGetMemoryInfo_v2(const Device *one, Memory *memory)
{
    memory->total = memory->free = one->mib * MIB;
    memory->reserved = memory->used = 0;
    return OK;
}
int nvmlDeviceGetUtilizationRates(const Device *one, unsigned *gpu_memory)
{
    (void)one;
    gpu_memory[0] = gpu_memory[1] = 0;
    return OK;
}
int nvmlDeviceGetTemperature(const Device *one, int sensor, unsigned *degrees)
{
    (void)one, (void)sensor;
    *degrees = 20;
    return OK;
}
#endif

#ifdef CUDA
enum { OK, INVALID, NO_DEVICE = 100, NO_SUCH_DEVICE };

int cuInit(unsigned flags)
{
    (void)flags;
    return count() ? OK : NO_DEVICE;
}
int cuDriverGetVersion(int *version) { *version = CUDA_VERSION; return OK; }
int cuDeviceGetCount(int *found) { *found = count(); return OK; }
int cuDeviceGet(int *handle, int index)
{
    *handle = index;
    return index >= 0 && there(index) ? OK : NO_SUCH_DEVICE;
}
int cuDeviceGetName(char *to, int room, int handle)
{
    const Device *one = handle < 0 ? 0 : there(handle);
    if (!one)
        return NO_SUCH_DEVICE;
    return copy(to, room, one->name) ? INVALID : OK;
}
int cuDeviceTotalMem_v2(u64 *bytes, int handle)
{
    const Device *one = handle < 0 ? 0 : there(handle);
    if (!one)
        return NO_SUCH_DEVICE;
    *bytes = one->mib * MIB;
    return OK;
}
#endif
