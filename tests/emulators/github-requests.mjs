#!/usr/bin/env node
// Makes the table that tests hold trackfs's requests to GitHub to: of each operation that it may use, the parameters of the
// query and the members of the body, with their types. Taken from GitHub's OpenAPI description.
// usage: node tests/emulators/github-requests.mjs api.github.com.json > fixtures/remote/github.requests.json
import { readFileSync } from 'node:fs';

const description = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const used = [
  /^\/repos\/\{owner\}\/\{repo\}$/,
  /^\/repos\/\{owner\}\/\{repo\}\/issues(\/comments(\/\{comment_id\})?)?$/,
  /^\/repos\/\{owner\}\/\{repo\}\/issues\/\{issue_number\}(\/(assignees|comments|events|labels|labels\/\{name\}|parent|sub_issues?|timeline))?$/,
  /^\/repos\/\{owner\}\/\{repo\}\/issues\/\{issue_number\}\/dependencies\/blocked_by(\/\{issue_id\})?$/,
  /^\/repos\/\{owner\}\/\{repo\}\/(labels(\/\{name\})?|milestones|pulls)$/,
  /^\/(user|orgs\/\{org\}\/issue-types)$/,
];

const resolved = (node) =>
  node?.$ref ? resolved(node.$ref.split('/').slice(1).reduce((at, name) => at[name], description)) : node;

// The JSON types that a schema takes; none: any.
function types(schema) {
  const { type, nullable, oneOf, anyOf, allOf } = resolved(schema) ?? {};
  const own = [type ?? []].flat();
  const others = [...(oneOf ?? []), ...(anyOf ?? []), ...(allOf ?? [])].flatMap(types);
  return [...new Set([...own, ...others, ...(nullable ? ['null'] : [])])].sort();
}

function operation(path, method) {
  const { parameters = [], requestBody } = description.paths[path][method];
  const query = parameters.map(resolved).filter((parameter) => parameter.in === 'query');
  const schema = resolved(resolved(requestBody)?.content?.['application/json']?.schema);
  const variants = [schema, ...(schema?.oneOf ?? []), ...(schema?.anyOf ?? [])].map(resolved);
  const members = variants.flatMap((variant) => Object.entries(variant?.properties ?? {}));
  return {
    query: Object.fromEntries(query.map(({ name, schema }) => [name, resolved(schema)?.enum ?? types(schema)])),
    body: Object.fromEntries(members.map(([name, member]) => [name, types(member)])),
    required: schema?.required ?? [],
  };
}

const table = {};
for (const path of Object.keys(description.paths).filter((path) => used.some((pattern) => pattern.test(path))).sort())
  for (const method of ['get', 'post', 'patch', 'put', 'delete'])
    if (description.paths[path][method]) table[`${method.toUpperCase()} ${path}`] = operation(path, method);
const source = `GitHub's OpenAPI description (github.com/github/rest-api-description, MIT), ${description.info.version}`;
console.log(JSON.stringify({ source, operations: table }, null, 1));
