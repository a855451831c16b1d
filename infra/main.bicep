targetScope = 'subscription'

@description('Name of the environment; names of resources follow from it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of all resources.')
@minLength(1)
param location string

@description('Object id of the person who deploys, who may then use `python -m admin`; empty for nobody.')
param principalId string = ''

@description('How throughput is paid for. Serverless can be changed to provisioned throughput, but not back.')
@allowed(['serverless', 'autoscale'])
param throughput string = 'serverless'

@description('RU/s that the events container scales up to, with autoscale.')
@minValue(1000)
param maximumThroughput int = 4000

@description('Whether Cosmos DB and storage can only be reached through a virtual network.')
param privateNetwork bool = false

@description('Python of the function app.')
@allowed(['3.10', '3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Instances that the function app scales out to.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 40

var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module resources 'resources.bicep' = {
  name: 'resources'
  scope: group
  params: {
    location: location
    tags: tags
    principalId: principalId
    throughput: throughput
    maximumThroughput: maximumThroughput
    privateNetwork: privateNetwork
    pythonVersion: pythonVersion
    maximumInstances: maximumInstances
  }
}

output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = resources.outputs.functionAppName
output FUNCTION_APP_URL string = resources.outputs.functionAppUrl
output CosmosConnection__accountEndpoint string = resources.outputs.cosmosEndpoint
output CosmosDatabase string = resources.outputs.cosmosDatabase
