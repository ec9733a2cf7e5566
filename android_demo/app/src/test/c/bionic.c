/*
 * What Android's C library has and glibc lacks, so that the x86-64 library of TensorFlow Lite for
 * Android runs on a desktop: preloaded by check.py, for tests only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Android's stdin, stdout and stderr are elements of this array, in its own layout. */
char __sF[3][152];

int *__errno(void) { return __errno_location(); }

size_t __strlen_chk(const char *text, size_t room) {
  (void)room;
  return strlen(text);
}

/* The library looks for its own delegate from API 20 on. */
int __system_property_get(const char *name, char *value) {
  strcpy(value, strcmp(name, "ro.build.version.sdk") ? "" : "24");
  return (int)strlen(value);
}

void android_set_abort_message(const char *text) { fputs(text, stderr); }

/* TensorFlow Lite writes each line to stderr as well. */
int __android_log_vprint(int priority, const char *tag, const char *format, va_list values) {
  (void)priority, (void)tag, (void)format, (void)values;
  return 0;
}

/*
 * dlsym, as check.py renames it in the library: Android finds symbols of any library of the app
 * without a handle, glibc only those of libraries that everybody sees.
 */
void *dlsxm(void *handle, const char *name) {
  void *found = dlsym(handle, name);
  if (!found && handle == RTLD_DEFAULT) {
    void *own = dlopen("libtensorflowlite_jni.so", RTLD_NOW | RTLD_NOLOAD);
    if (own) found = dlsym(own, name);
  }
  return found;
}

static FILE *host(FILE *file) {
  return (char *)file >= __sF[0] && (char *)file < __sF[0] + sizeof __sF ? stderr : file;
}

int vfprintf(FILE *file, const char *format, va_list values) {
  static int (*real)(FILE *, const char *, va_list);
  if (!real) real = (int (*)(FILE *, const char *, va_list))dlsym(RTLD_NEXT, "vfprintf");
  return real(host(file), format, values);
}

int fprintf(FILE *file, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int written = vfprintf(file, format, values);
  va_end(values);
  return written;
}

int fputc(int character, FILE *file) {
  static int (*real)(int, FILE *);
  if (!real) real = (int (*)(int, FILE *))dlsym(RTLD_NEXT, "fputc");
  return real(character, host(file));
}

int fflush(FILE *file) {
  static int (*real)(FILE *);
  if (!real) real = (int (*)(FILE *))dlsym(RTLD_NEXT, "fflush");
  return real(file ? host(file) : file);
}
