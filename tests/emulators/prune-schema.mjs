#!/usr/bin/env node
// Cuts Linear's published schema down to what trackfs's operations and its tests' touch, for tests that run without it.
// usage, from the folder that setup.sh prints (it has the module graphql), with P for this repository:
//   node P/tests/emulators/prune-schema.mjs schema.graphql P/src/remote/linear/graphql P/tests/emulators/graphql > P/fixtures/remote/linear.schema.graphql
// Kept: every field used, every field of a used type that holds a plain value, and whatever these need.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
const require = createRequire(process.cwd() + '/');
const {
  parse,
  print,
  visit,
  visitWithTypeInfo,
  TypeInfo,
  buildASTSchema,
  getNamedType,
  isLeafType,
  isInputObjectType,
} = require('graphql');

const [schemaFile, ...folders] = process.argv.slice(2);
const ast = parse(readFileSync(schemaFile, 'utf8'));
const schema = buildASTSchema(ast, { assumeValid: true });
const document = parse(
  folders
    .flatMap((folder) => readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`, 'utf8')))
    .join('\n'),
);

// Filters refer to each other without end: only these are followed.
const filters = new Set([
  'IssueFilter',
  'TeamFilter',
  'CommentFilter',
  'CommentCollectionFilter',
  'NullableIssueFilter',
  'NullableTeamFilter',
  'TeamCollectionFilter',
  'DocumentFilter',
  'ProjectFilter',
]);
const usedFields = new Set();
const keptTypes = new Set(['DateTime', 'DateTimeOrDuration', 'TimelessDate', 'TimelessDateOrDuration']);
const info = new TypeInfo(schema);
visit(
  document,
  visitWithTypeInfo(info, {
    Field() {
      usedFields.add(`${info.getParentType().name}.${info.getFieldDef().name}`);
      keptTypes.add(info.getParentType().name);
    },
  }),
);

const baseName = (type) => (type.kind === 'NamedType' ? type.name.value : baseName(type.type));
const isLeaf = (type) => isLeafType(schema.getType(baseName(type)));
const isFollowed = (type) => {
  const t = schema.getType(baseName(type));
  return (
    !isInputObjectType(t) ||
    t.name.endsWith('Comparator') ||
    filters.has(t.name) ||
    /^(Issue|Comment|IssueLabel|IssueRelation|Document|Project|Webhook)(Create|Update)Input$/.test(t.name)
  );
};
const bare = (node) => ({ ...node, description: undefined });
const root = new Set(['Query', 'Mutation']);

function pruned(definition) {
  const name = definition.name?.value;
  if (definition.kind === 'SchemaDefinition')
    return { ...bare(definition), operationTypes: definition.operationTypes.filter((o) => root.has(o.type.name.value)) };
  if (definition.kind === 'ObjectTypeDefinition') {
    const fields = definition.fields.filter((f) => usedFields.has(`${name}.${f.name.value}`) || (!root.has(name) && isLeaf(f.type)));
    return {
      ...bare(definition),
      interfaces: [],
      fields: fields.map((f) => ({ ...bare(f), arguments: f.arguments.filter((a) => isFollowed(a.type)).map(bare) })),
    };
  }
  if (definition.kind === 'InputObjectTypeDefinition')
    return { ...bare(definition), fields: definition.fields.filter((f) => isFollowed(f.type)).map(bare) };
  if (definition.kind === 'EnumTypeDefinition') return { ...bare(definition), values: definition.values.map(bare) };
  return bare(definition);
}

const definitions = new Map(ast.definitions.map((d) => [d.name?.value ?? 'schema', d]));
const kept = new Map();
const queue = ['schema', ...keptTypes];
while (queue.length) {
  const name = queue.pop();
  if (kept.has(name) || !definitions.has(name)) continue;
  const definition = pruned(definitions.get(name));
  kept.set(name, definition);
  visit(definition, {
    NamedType(type) {
      queue.push(type.name.value);
    },
  });
}
const notice = readFileSync(new URL('linear.LICENSE', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => `# ${line}`.trimEnd())
  .join('\n');
console.log(
  `# An excerpt of Linear's public GraphQL schema (github.com/linear/linear, packages/sdk/src/schema.graphql),\n# made by tests/emulators/prune-schema.mjs. Its licence:\n#\n${notice}\n`,
);
console.log(
  [...kept.keys()]
    .sort()
    .map((name) => print(kept.get(name)))
    .join('\n\n'),
);
