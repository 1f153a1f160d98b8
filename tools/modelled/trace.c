// A plugin for qemu-user that writes down which instructions ran: from the address `start` to the address `stop`, the program counter of
// each as eight bytes, to the file `out`. Declares what it needs of qemu's plugin interface (version 1), for which Debian has no header.
#include <inttypes.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct tb;
struct insn;
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct tb *));
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *, void (*)(unsigned, void *), int flags, void *);
extern size_t qemu_plugin_tb_n_insns(const struct tb *);
extern struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *);

int qemu_plugin_version = 1;
static uint64_t start, stop;
static FILE *out;
static bool on;

static void ran(unsigned cpu, void *pc) {
    uint64_t at = (uint64_t)(uintptr_t)pc;
    if (at == start) on = true;
    if (at == stop) on = false;
    if (on) fwrite(&at, sizeof at, 1, out);
}

static void translated(plugin_id id, struct tb *tb) {
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, ran, 0, (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
    }
}

static void ended(plugin_id id, void *data) {
    fclose(out);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value) continue;
        if (!strncmp(argv[i], "start=", 6)) start = strtoull(value + 1, NULL, 0);
        if (!strncmp(argv[i], "stop=", 5)) stop = strtoull(value + 1, NULL, 0);
        if (!strncmp(argv[i], "out=", 4)) out = fopen(value + 1, "wb");
    }
    if (!out) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
