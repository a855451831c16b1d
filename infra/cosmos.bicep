@description('Region of all resources.')
param location string

@description('Tags of all resources.')
param tags object

@description('End of all names.')
param suffix string

@description('Who may work with the data.')
param principalIds array

@description('How throughput is paid for.')
@allowed(['serverless', 'autoscale'])
param throughput string

@description('RU/s that the events container scales up to, with autoscale.')
param maximumThroughput int

@description('Whether the account can only be reached through a virtual network.')
param privateNetwork bool

var databaseName = 'projections'
var definitions = loadJsonContent('../core/cosmos/containers.json')
var roles = loadJsonContent('roles.json')
var leastThroughput = 1000

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: 'cosmos-${suffix}'
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: throughput == 'serverless' ? [{ name: 'EnableServerless' }] : []
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: false }]
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    backupPolicy: { type: 'Continuous', continuousModeProperties: { tier: 'Continuous7Days' } }
    disableLocalAuth: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }

  @description('For events. Only an upsert could write over one, and nobody can delete one.')
  resource appender 'sqlRoleDefinitions' = {
    name: guid(account.id, 'appender')
    properties: {
      roleName: 'Event appender'
      type: 'CustomRole'
      assignableScopes: [account.id]
      permissions: [{ dataActions: roles.appender }]
    }
  }

  @description('For leases and dead letters.')
  resource editor 'sqlRoleDefinitions' = {
    name: guid(account.id, 'editor')
    properties: {
      roleName: 'State editor'
      type: 'CustomRole'
      assignableScopes: [account.id]
      permissions: [{ dataActions: roles.editor }]
    }
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: databaseName
  properties: { resource: { id: databaseName } }
}

@batchSize(1)
resource containers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = [
  for each in definitions: {
    parent: database
    name: each.name
    properties: {
      resource: {
        id: each.name
        partitionKey: { paths: [each.partitionKey], kind: 'Hash', version: 2 }
        indexingPolicy: each.indexingPolicy
        defaultTtl: each.?defaultTtl
      }
      options: throughput == 'serverless'
        ? {}
        : {
            autoscaleSettings: {
              maxThroughput: each.name == 'events' ? maximumThroughput : leastThroughput
            }
          }
    }
  }
]

@batchSize(1)
resource assignments 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2024-11-15' = [
  for nth in range(0, length(principalIds) * length(definitions)): {
    parent: account
    name: guid(
      account.id,
      principalIds[nth / length(definitions)],
      definitions[nth % length(definitions)].name
    )
    properties: {
      principalId: principalIds[nth / length(definitions)]
      roleDefinitionId: definitions[nth % length(definitions)].name == 'events'
        ? account::appender.id
        : account::editor.id
      scope: '${account.id}/dbs/${database.name}/colls/${definitions[nth % length(definitions)].name}'
    }
    dependsOn: [containers]
  }
]

output id string = account.id
output endpoint string = account.properties.documentEndpoint
output database string = database.name
