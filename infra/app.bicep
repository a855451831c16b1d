@description('Region of all resources.')
param location string

@description('Tags of all resources.')
param tags object

@description('End of all names.')
param suffix string

@description('The identity that the app runs as.')
param identityId string

@description('Client id of the identity.')
param identityClientId string

@description('Blob endpoint of the storage account.')
param blobEndpoint string

@description('Blob container of deployment packages.')
param packages string

@description('Where telemetry goes.')
param insightsConnectionString string

@description('Endpoint of the Cosmos DB account.')
param cosmosEndpoint string

@description('Name of the database.')
param cosmosDatabase string

@description('Subnet of the app; empty for none.')
param subnetId string

@description('Python of the function app.')
param pythonVersion string

@description('Instances that the function app scales out to.')
param maximumInstances int

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: 'plan-${suffix}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2023-12-01' = {
  name: 'func-${suffix}'
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: [
        { name: 'AzureWebJobsStorage__blobServiceUri', value: blobEndpoint }
        { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
        { name: 'AzureWebJobsStorage__clientId', value: identityClientId }
        { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'ClientId=${identityClientId};Authorization=AAD'
        }
        { name: 'CosmosConnection__accountEndpoint', value: cosmosEndpoint }
        { name: 'CosmosConnection__credential', value: 'managedidentity' }
        { name: 'CosmosConnection__clientId', value: identityClientId }
        { name: 'CosmosDatabase', value: cosmosDatabase }
        { name: 'EventsContainer', value: 'events' }
        { name: 'LeasesContainer', value: 'leases' }
        { name: 'DeadLettersContainer', value: 'deadletters' }
      ]
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${blobEndpoint}${packages}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
      }
    }
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
