/* A disk that fails when a test says so, put before the C library by LD_PRELOAD. Compiled by tests/ledger/crash/disk.py.

   It looks at writes and syncs of files whose name contains "ledger". disk_arm() sets what happens to the n-th of them from now on:
   the process dies before it, in its middle or after it; it fails once, or it and all that follow fail. With a folder in disk_mirror(),
   each sync leaves a copy of what it made durable there: what a power cut would leave at worst.

   In PostgreSQL, which nobody can call into, a file does it: while there is one where DISK_TRIGGER says, the next sync of PostgreSQL's own
   log fails, and the file is gone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, DIE_BEFORE, DIE_INSIDE, DIE_AFTER, FAIL_ONCE, FAIL_ON };
enum { WRITES = 1, SYNCS = 2 };

static int mode, kinds, error_number;
static long at, seen;
static char mirror[4096];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void find(void) {
  if (!real_pwrite) {
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  }
}

void disk_arm(int mode_, int kinds_, long at_, int error_) {
  pthread_mutex_lock(&gate);
  mode = mode_, kinds = kinds_, at = at_, error_number = error_, seen = 0;
  pthread_mutex_unlock(&gate);
}

void disk_mirror(const char *folder) { snprintf(mirror, sizeof mirror, "%s", folder); }

long disk_seen(void) { return seen; }

static int name_of(int fd, char *name, size_t room) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, room - 1);
  if (length < 0) return 0;
  name[length] = 0;
  return strstr(name, "ledger") != NULL && strstr(name, ".lease") == NULL && strstr(name, "-shm") == NULL;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* What is to happen to this operation. */
static int fate(int fd, int kind) {
  char name[4096];
  find();
  if (mode == NOTHING || !(kinds & kind) || !name_of(fd, name, sizeof name)) return NOTHING;
  pthread_mutex_lock(&gate);
  seen++;
  int hit = mode == FAIL_ON ? seen >= at : seen == at;
  pthread_mutex_unlock(&gate);
  return hit ? mode : NOTHING;
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t offset) {
  int what = fate(fd, WRITES);
  if (what == DIE_BEFORE) die();
  if (what == FAIL_ONCE || what == FAIL_ON) { errno = error_number; return -1; }
  ssize_t done = real_pwrite(fd, data, what == DIE_INSIDE ? count / 2 : count, offset);
  if (what == DIE_INSIDE || what == DIE_AFTER) die();
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset) { return pwrite64(fd, data, count, offset); }

static void copy(int fd) {
  char name[4096], target[8300], half[8400], page[65536];
  if (!mirror[0] || !name_of(fd, name, sizeof name)) return;
  int saved = errno;
  pthread_mutex_lock(&gate);
  snprintf(target, sizeof target, "%s/%s", mirror, strrchr(name, '/') + 1);
  snprintf(half, sizeof half, "%s.half", target);
  int in = open(name, O_RDONLY), out = open(half, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (ssize_t n; (n = read(in, page, sizeof page)) > 0;)
    if (write(out, page, n) != n) die();
  close(in), close(out);
  rename(half, target);
  pthread_mutex_unlock(&gate);
  errno = saved;
}

static int triggered(int fd) {
  char link[64], name[4096];
  const char *trigger = getenv("DISK_TRIGGER");
  if (!trigger) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, sizeof name - 1);
  if (length < 0) return 0;
  name[length] = 0;
  return strstr(name, "/pg_wal/") != NULL && unlink(trigger) == 0;
}

static int sync_one(int fd, int (**real)(int)) {
  int what = fate(fd, SYNCS);
  if (triggered(fd)) { errno = EIO; return -1; }
  if (what == DIE_BEFORE || what == DIE_INSIDE) die();
  if (what == FAIL_ONCE || what == FAIL_ON) { errno = error_number; return -1; }
  int done = (*real)(fd);
  if (done == 0) copy(fd);
  if (what == DIE_AFTER) die();
  return done;
}

int fsync(int fd) { return sync_one(fd, &real_fsync); }

int fdatasync(int fd) { return sync_one(fd, &real_fdatasync); }
