// Package pagetest tests the live page as people see it: in a real Chromium,
// served by the daemon, which follows a real server. It has nothing but tests.
//
// Chromium is looked for by its usual names; TIDEMARK_CHROMIUM names another.
// Where there is none these tests are skipped, and say so.
//
// TIDEMARK_SCREENSHOTS=5m makes the pictures of the README anew, of
// streams that have been watched for so long.
package pagetest
