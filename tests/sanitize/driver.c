// Runs programs that the sanitizers watch: driver FILE, where FILE describes one.
//
//     SHARED_OBJECT ENTRY THREADS
//     ARENA_BYTES WORKSPACE_BYTES
//     INTERMEDIATES, and for each: OFFSET BYTES       what of the arena may be touched
//     BUFFERS, and for each: BYTES                    what they hold at first is in FILE.data, one after the other

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(void const volatile *address, size_t size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#else
#define __asan_poison_memory_region(address, size)
#define __asan_unpoison_memory_region(address, size)
#endif

static void *allocate(long size)
{
    void *memory;
    if (posix_memalign(&memory, 64, size) != 0)
        exit(3);
    for (long i = 0; i < size; i++)
        ((unsigned char *)memory)[i] = 0xAB;
    return memory;
}

static long number(FILE *file)
{
    long n;
    if (fscanf(file, "%ld", &n) != 1)
        exit(3);
    return n;
}

int main(int count, char **arguments)
{
    char path[4096], entry[256];
    FILE *file = count > 1 ? fopen(arguments[1], "r") : NULL;
    if (file == NULL || fscanf(file, "%4095s %255s", path, entry) != 2)
        return 3;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 3;
    }
    void (*run)(void **, char *, char *, int, int);
    *(void **)&run = dlsym(library, entry);
    int threads = number(file);
    long arena_size = number(file), workspace_size = number(file);
    char *arena = allocate(arena_size), *workspace = allocate(workspace_size);
    __asan_poison_memory_region(arena, arena_size);
    for (long n = number(file); n > 0; n--) {
        long offset = number(file), size = number(file);
        __asan_unpoison_memory_region(arena + offset, size);
        (void)offset, (void)size;
    }
    long buffers = number(file);
    void **pointers = allocate(buffers * sizeof(void *));
    snprintf(path, sizeof path, "%s.data", arguments[1]);
    FILE *data = fopen(path, "r");
    for (long i = 0; i < buffers; i++) {
        long size = number(file);
        pointers[i] = allocate(size);
        if (fread(pointers[i], 1, size, data) != (size_t)size)
            return 3;
    }
    run(pointers, arena, workspace, threads, 1);
    return 0;
}
