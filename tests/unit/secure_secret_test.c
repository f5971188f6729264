/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "secure/secret.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "FFeeDDccBBaa99887766554433221100fFeEdDcCbBaA99887766554433221100"

static char path[] = "/tmp/weir-secret-XXXXXX";

static void file_write(const char *text, size_t length, mode_t mode)
{
	FILE *file;

	/* Owner's again, whatever a test made of it. */
	CU_ASSERT_EQUAL_FATAL(chmod(path, 0600), 0);
	file = fopen(path, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(text, 1, length, file), length);
	fclose(file);
	CU_ASSERT_EQUAL(chmod(path, mode), 0);
}

static struct weir_secrets *load(const char *text)
{
	struct weir_secrets *secrets = NULL;
	struct weir_error error = {0};

	file_write(text, strlen(text), 0600);
	CU_ASSERT_EQUAL_FATAL(weir_secrets_load(path, &secrets, &error), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(secrets);
	return secrets;
}

static void refuse(const char *text, size_t length, const char *reason)
{
	struct weir_secrets *secrets = (void *)path;
	struct weir_error error = {0};

	file_write(text, length, 0600);
	CU_ASSERT_EQUAL(weir_secrets_load(path, &secrets, &error), -EINVAL);
	CU_ASSERT_PTR_NULL(secrets);
	CU_ASSERT_EQUAL(error.code, -EINVAL);
	CU_ASSERT_STRING_EQUAL(error.path, path);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, reason));
	CU_ASSERT_NOT_EQUAL(error.hint[0], '\0');
	/* No part of a key where people and logs see it. */
	CU_ASSERT_PTR_NULL(strstr(error.reason, "0001"));
	if (strstr(error.reason, reason) == NULL)
		printf("\n  want \"%s\", got \"%s\"\n", reason, error.reason);
}

static void test_lines(void)
{
	struct weir_secrets *secrets = load("# keys\n\n  4294967295\t" KEY_B " c-1.x_Y \r\n"
					    "1 " KEY_A " # all others\n#2 " KEY_A);
	const struct weir_secret *first = weir_secrets_first(secrets);
	const struct weir_secret *other = weir_secrets_find(secrets, 1);

	CU_ASSERT_EQUAL(weir_secrets_count(secrets), 2);
	CU_ASSERT_EQUAL(first->id, UINT32_MAX);
	CU_ASSERT_STRING_EQUAL(first->name, "c-1.x_Y");
	CU_ASSERT_EQUAL(first->key[0], 0xff);
	CU_ASSERT_EQUAL(first->key[16], 0xff);
	CU_ASSERT_EQUAL(first->key[30], 0x11);
	CU_ASSERT_PTR_EQUAL(weir_secrets_find(secrets, UINT32_MAX), first);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	CU_ASSERT_STRING_EQUAL(other->name, "");
	for (unsigned int i = 0; i < WEIR_SECRET_SIZE; i++)
		CU_ASSERT_EQUAL(other->key[i], i);
	CU_ASSERT_PTR_NULL(weir_secrets_find(secrets, 2));
	CU_ASSERT_PTR_NULL(weir_secrets_find(secrets, 0));
	weir_secrets_free(secrets);
	weir_secrets_free(NULL);
}

static void test_faults(void)
{
	static const struct {
		const char *text;
		const char *reason;
	} faults[] = {
		{"", "holds no key"},
		{"\n # 1 " KEY_A "\n", "holds no key"},
		{"0 " KEY_A, "line 1: the id"},
		{"4294967296 " KEY_A, "line 1: the id"},
		{"18446744073709551617 " KEY_A, "line 1: the id"},
		{"-1 " KEY_A, "line 1: the id"},
		{"0x1 " KEY_A, "line 1: the id"},
		{KEY_A, "line 1: the id"},
		{"\n\n1", "line 3: the key"},
		{"1 " KEY_A "0", "line 1: the key"},
		{"1 " KEY_A "00", "line 1: the key"},
		{"1 00" KEY_A, "line 1: the key"},
		{"1 00010203", "line 1: the key"},
		{"1 g" KEY_A, "line 1: the key"},
		{"1 00g102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "the key"},
		{"1 00:102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "the key"},
		{"1 " KEY_A " a/b", "line 1: a name"},
		{"1 " KEY_A " abcdefghijklmnopqrstuvwxyz012345", "line 1: a name"},
		{"1 " KEY_A " a b", "line 1: more than"},
		{"1 " KEY_A "\n2 " KEY_A "\n1 " KEY_B " x\n", "line 3: an earlier line"},
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		refuse(faults[i].text, strlen(faults[i].text), faults[i].reason);
	refuse("1 " KEY_A "\n2 \0" KEY_A, sizeof("1 " KEY_A "\n2 \0" KEY_A) - 1, "line 2: the key");
}

static void test_limits(void)
{
	size_t size = (size_t)300 << 10, length = 0;
	char *text = malloc(size);
	struct weir_secrets *secrets;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	for (unsigned int i = 1; i <= WEIR_SECRETS_MAX; i++)
		length +=
			(size_t)snprintf(text + length, size - length, "%u " KEY_A " n%u\n", i, i);
	secrets = load(text);
	CU_ASSERT_EQUAL(weir_secrets_count(secrets), WEIR_SECRETS_MAX);
	CU_ASSERT_STRING_EQUAL(weir_secrets_find(secrets, 1024)->name, "n1024");
	weir_secrets_free(secrets);
	length += (size_t)snprintf(text + length, size - length, "1025 " KEY_A "\n");
	refuse(text, length, "line 1025: more than 1024 keys");
	memset(text, '#', size);
	refuse(text, size, "longer than 256 KiB");
	free(text);
}

static void test_modes(void)
{
	static const mode_t wrong[] = {0640, 0604, 0620, 0602, 0700, 0610, 0601, 04600, 01600};
	struct weir_secrets *secrets;
	struct weir_error error;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char octal[8];

		snprintf(octal, sizeof(octal), "%04o", (unsigned int)wrong[i]);
		file_write("1 " KEY_A, strlen("1 " KEY_A), wrong[i]);
		CU_ASSERT_EQUAL(weir_secrets_load(path, &secrets, &error), -EPERM);
		CU_ASSERT_PTR_NULL(secrets);
		CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, octal));
		CU_ASSERT_STRING_EQUAL(error.hint, "chmod 600");
	}
	file_write("1 " KEY_A, strlen("1 " KEY_A), 0400);
	CU_ASSERT_EQUAL_FATAL(weir_secrets_load(path, &secrets, NULL), 0);
	weir_secrets_free(secrets);
}

static void test_owner(void)
{
	struct weir_secrets *secrets;
	struct weir_error error;

	if (geteuid() != 0)
		return; /* only root can give a file away */
	file_write("1 " KEY_A, strlen("1 " KEY_A), 0600);
	CU_ASSERT_EQUAL(chown(path, 12345, (gid_t)-1), 0);
	CU_ASSERT_EQUAL(weir_secrets_load(path, &secrets, &error), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "user 12345"));
	CU_ASSERT_EQUAL(chown(path, 0, (gid_t)-1), 0);
	CU_ASSERT_EQUAL_FATAL(weir_secrets_load(path, &secrets, &error), 0);
	weir_secrets_free(secrets);
}

static void test_no_file(void)
{
	struct weir_secrets *secrets;
	struct weir_error error;

	CU_ASSERT_EQUAL(weir_secrets_load("/nonexistent/key", &secrets, &error), -ENOENT);
	CU_ASSERT_STRING_EQUAL(error.path, "/nonexistent/key");
	CU_ASSERT_EQUAL(weir_secrets_load("/tmp", &secrets, &error), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "regular"));
	/* A pipe nobody writes to must not hold the program up. */
	unlink(path);
	CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(weir_secrets_load(path, &secrets, &error), -EINVAL);
	CU_ASSERT_PTR_NULL(secrets);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"ids, keys and names are read, comments are not", test_lines},
		{"a fault is told with its line, never with a key", test_faults},
		{"1024 keys are taken, no more", test_limits},
		{"a file that others may use is refused", test_modes},
		{"a file of another user is refused", test_owner},
		{"what is no file is refused at once", test_no_file},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"key files", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	int fd = mkstemp(path);
	unsigned int failures;

	if (fd < 0)
		return EXIT_FAILURE;
	close(fd);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	unlink(path);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
