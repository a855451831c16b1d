@description('Region of all resources.')
param location string

@description('Tags of all resources.')
param tags object

@description('Object id of the person who deploys; empty for nobody.')
param principalId string

@description('How throughput is paid for.')
@allowed(['serverless', 'autoscale'])
param throughput string

@description('RU/s that the events container scales up to, with autoscale.')
param maximumThroughput int

@description('Whether Cosmos DB and storage can only be reached through a virtual network.')
param privateNetwork bool

@description('Python of the function app.')
param pythonVersion string

@description('Instances that the function app scales out to.')
param maximumInstances int

var suffix = uniqueString(resourceGroup().id)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${suffix}'
  location: location
  tags: tags
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    tags: tags
    suffix: suffix
    identityPrincipalId: identity.properties.principalId
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  params: {
    location: location
    tags: tags
    suffix: suffix
    identityPrincipalId: identity.properties.principalId
    privateNetwork: privateNetwork
  }
}

module cosmos 'cosmos.bicep' = {
  name: 'cosmos'
  params: {
    location: location
    tags: tags
    suffix: suffix
    principalIds: empty(principalId)
      ? [identity.properties.principalId]
      : [identity.properties.principalId, principalId]
    throughput: throughput
    maximumThroughput: maximumThroughput
    privateNetwork: privateNetwork
  }
}

module network 'network.bicep' = if (privateNetwork) {
  name: 'network'
  params: {
    location: location
    tags: tags
    suffix: suffix
    cosmosId: cosmos.outputs.id
    storageId: storage.outputs.id
  }
}

module app 'app.bicep' = {
  name: 'app'
  params: {
    location: location
    tags: tags
    suffix: suffix
    identityId: identity.id
    identityClientId: identity.properties.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    packages: storage.outputs.packages
    insightsConnectionString: monitoring.outputs.connectionString
    cosmosEndpoint: cosmos.outputs.endpoint
    cosmosDatabase: cosmos.outputs.database
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    pythonVersion: pythonVersion
    maximumInstances: maximumInstances
  }
}

output functionAppName string = app.outputs.name
output functionAppUrl string = app.outputs.url
output cosmosEndpoint string = cosmos.outputs.endpoint
output cosmosDatabase string = cosmos.outputs.database
