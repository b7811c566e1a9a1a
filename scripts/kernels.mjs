// Compiles kernels/ (AssemblyScript) to src/gen/kernels: one module a folder, as base64 in a TypeScript file, so that
// nothing at run time has to find a file. `node scripts/kernels.mjs [OUT]` writes to OUT instead.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = resolve(process.argv[2] ?? join(root, 'src', 'gen'), 'kernels');
const scratch = mkdtempSync(join(tmpdir(), 'basalt-kernels-'));
try {
  mkdirSync(out, { recursive: true });
  for (const entry of readdirSync(join(root, 'kernels'), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const module = join(scratch, `${entry.name}.wasm`);
    const flags = ['-O3', '--noAssert', '--enable', 'simd', '--runtime', 'minimal'];
    const paths = [`kernels/${entry.name}/index.ts`, '--baseDir', root, '--outFile', module];
    const { error, stderr } = await main([...paths, ...flags, '--use', 'abort=']);
    if (error) throw new Error(`cannot compile kernels/${entry.name}: ${stderr.toString()}`);
    const name = `${entry.name.toUpperCase()}_KERNEL`;
    const base64 = readFileSync(module).toString('base64');
    const text = `// Made by scripts/kernels.mjs of kernels/${entry.name}. Do not edit.\nexport const ${name} =\n  '${base64}';\n`;
    writeFileSync(join(out, `${entry.name}.ts`), text);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
