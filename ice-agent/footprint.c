/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/footprint.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that were never writable: no relocation can have changed them. */
static int object_trim(struct dl_phdr_info *object, size_t size, void *data)
{
    uintptr_t page = *(uintptr_t *)data;

    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) / page * page;
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) / page * page;

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0 && end > begin)
            madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    return 0;
}

void footprint_trim(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    dl_iterate_phdr(object_trim, &page);
    malloc_trim(0);
}
