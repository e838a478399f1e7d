/**
 * Prints `N passed, N failed` as the last line of a run: at the exit of jest, because jest's own
 * summary and the global teardown come after the reporters. A file that could not be loaded counts
 * as failed; skipped tests are named.
 */
export default class ClosingLine {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    const names = results.testResults
      .flatMap((file) => file.testResults)
      .filter((test) => test.status === 'pending')
      .map((test) => `skipped: ${test.fullName}\n`);
    const tail = skipped > 0 ? `, ${skipped} skipped` : '';
    const text = `${names.join('')}${results.numPassedTests} passed, ${failed} failed${tail}\n`;
    process.once('exit', () => process.stdout.write(text));
  }
}
