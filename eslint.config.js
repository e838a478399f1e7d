// What the linter holds: no unhandled promise, no `any`, stated types at module boundaries, short
// functions, no clock in pure code. Formatting is prettier's, imports are dependency-cruiser's.
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const plainFiles = ['**/*.js', '**/*.mjs', '**/*.cjs'];
const sources = ['domain', 'workflows', 'activities', 'workers', 'client', 'db', 'local'].map(
  (folder) => `${folder}/**/*.ts`,
);

const noDate = 'Instants are integer ms and come in as arguments.';
/** A name that begins with `_` is unused on purpose, for example to leave a property out. */
const unused = [
  'error',
  { varsIgnorePattern: '^_', argsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
];
const nodeGlobals = ['process', 'console', 'URL', 'setTimeout', 'clearTimeout', 'fetch', 'Buffer'];
const commonJsGlobals = ['module', 'require', '__dirname', '__filename'];
const readonly = (names) => Object.fromEntries(names.map((name) => [name, 'readonly']));

export default defineConfig(
  globalIgnores(['dist', 'dist-building', 'coverage', '.jobhours']),
  {
    // A comment that switches a rule off has no effect and is reported.
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-constant-condition': 'error',
      'no-dupe-else-if': 'error',
      'no-duplicate-case': 'error',
      'no-fallthrough': 'error',
      'no-loss-of-precision': 'error',
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-unsafe-finally': 'error',
      'no-useless-escape': 'error',
      'no-var': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      // Not the project service: it looks for files called tsconfig.json, and that one is the build's.
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      // `import { type A }` would leave an import at run time.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': unused,
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    files: sources,
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['domain/**/*.ts', 'workflows/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        {
          checkGlobalObject: true,
          globals: [{ name: 'Date', message: noDate }],
        },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSTypeReference[typeName.name="Date"]', message: noDate },
      ],
    },
  },
  {
    files: plainFiles,
    extends: [tseslint.configs.base],
    languageOptions: { globals: readonly(nodeGlobals) },
    rules: {
      'no-undef': 'error',
      '@typescript-eslint/no-unused-vars': unused,
    },
  },
  { files: ['**/*.cjs'], languageOptions: { globals: readonly(commonJsGlobals) } },
);
